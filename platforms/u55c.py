"""AMD Alveo U55C: 16 GiB of HBM2, three SLRs, no DDR."""

from stbuild.platform import (
    AxiPorts,
    Clocks,
    Confidence,
    Dsp,
    DspKind,
    Fabric,
    Memory,
    MemoryType,
    Platform,
    Power,
    Sll,
    Slr,
    Source,
)

UG1120 = (
    "AMD UG1120, quoted (rounded to thousands) in github.com/Xilinx/finn@39f0c9a src/finn/util/platforms.py"
)
ROUTED = (
    "slr_util_routed.rpt of a U55C build, github.com/omsheladia/attention_score_u55c@b3e00e4 (Vitis 2022.2)"
)
BUILD = "U55C build artefacts, github.com/omsheladia/attention_score_u55c@b3e00e4 (Vitis 2022.2)"
ADAPTER = (
    "half of a whole routed kernel with two 512-bit ports (causal_mask: 3,407 LUT, 5,341 FF, 16.5 BRAM), so "
    "an upper bound; HLS's own estimate was 8,001 LUT; github.com/omsheladia/attention_score_u55c@b3e00e4"
)
UG1393 = "AMD UG1393 2023.1, HBM Configuration and Use"
PG276 = "AMD PG276, as quoted in public material: 128 clocks of 900 MHz across the switch, page closed"
SHUHAI = "Shuhai, arXiv 2005.04324: 425 GB/s over 32 channels of a U280; nobody published a U55C figure"
BURSTS = (
    "github.com/Xilinx/Vitis_Accel_Examples@7249a1a performance/axi_burst_performance: 512 bits, long bursts"
)
TAPA = "rapidstream-org/rapidstream-tapa@9a572fc serpens-32ch gen_config.py: 100,000 LUT, 120,000 FF for 32"
CAP = "designs on the U280 stop at 28 ports for frequency; 32 congest SLR0 (public build logs)"

U55C = Platform(
    name="u55c",
    title="AMD Alveo U55C",
    part="xcu55c-fsvh2892-2L-e",
    board_part="xilinx.com:au55c:part0:1.0",
    vitis_platform="xilinx_u55c_gen3x16_xdma_3_202210_1",
    shell="xilinx_u55c_gen3x16_xdma_base_3",
    platform_uuid="97088961-FEAE-DA91-52A2-1D9DFD63CCEF",
    vitis_versions=("2022.1", "2022.2", "2023.1", "2023.2"),
    slrs=(
        Slr(
            index=0,
            die=Fabric(lut=439_680, ff=879_360, bram36=672, uram=320, dsp=2_880),
            available=Fabric(lut=386_000, ff=773_000, bram36=600, uram=320, dsp=2_664),
            sources=(
                Source(of=("index", "die"), text=ROUTED, confidence=Confidence.DERIVED),
                Source(of=("available",), text=UG1120, confidence=Confidence.DERIVED),
            ),
        ),
        Slr(
            index=1,
            die=Fabric(lut=432_000, ff=864_000, bram36=672, uram=320, dsp=3_072),
            available=Fabric(lut=364_000, ff=729_000, bram36=576, uram=320, dsp=2_784),
            sources=(
                Source(of=("index", "die"), text=ROUTED, confidence=Confidence.DERIVED),
                Source(of=("available",), text=UG1120, confidence=Confidence.DERIVED),
            ),
        ),
        Slr(
            index=2,
            die=Fabric(lut=432_000, ff=864_000, bram36=672, uram=320, dsp=3_072),
            available=Fabric(lut=381_000, ff=763_000, bram36=600, uram=320, dsp=2_856),
            sources=(
                Source(of=("index", "die"), text=ROUTED, confidence=Confidence.DERIVED),
                Source(of=("available",), text=UG1120, confidence=Confidence.DERIVED),
            ),
        ),
    ),
    memories=(
        Memory(
            type=MemoryType.HBM,
            tag="HBM[{bank}]",
            banks=32,
            bytes_per_bank=512 * 2**20,
            base_address=0,
            peak_gbs_per_bank=14.375,
            measured_gbs_per_bank=13.3,
            read_latency_ns=142.2,
            slrs=(0,),
            port_bits=256,
            port_mhz=450,
            bank_cost=Fabric(lut=3_125, ff=3_750),
            sources=(
                Source(of=("banks", "bytes_per_bank", "base_address", "slrs"), text=BUILD),
                Source(of=("peak_gbs_per_bank", "port_bits", "port_mhz"), text=UG1393 + ": 460 GB/s over 32"),
                Source(of=("measured_gbs_per_bank",), text=SHUHAI, confidence=Confidence.DERIVED),
                Source(of=("read_latency_ns",), text=PG276, confidence=Confidence.DERIVED),
                Source(of=("bank_cost",), text=TAPA, confidence=Confidence.DERIVED),
            ),
        ),
    ),
    axi=AxiPorts(
        limit=32,
        practical=28,
        adapter_cost=Fabric(lut=1_704, ff=2_671, bram36=8.5),
        sources=(
            Source(
                of=("limit",), text=BUILD + ": S01 to S32 of the HBM subsystem", confidence=Confidence.DERIVED
            ),
            Source(of=("practical",), text=CAP, confidence=Confidence.DERIVED),
            Source(of=("adapter_cost",), text=ADAPTER, confidence=Confidence.DERIVED),
        ),
    ),
    clocks=Clocks(
        default_mhz=300,
        second_mhz=500,
        target_mhz=250,
        scalable=True,
        sources=(
            Source(of=("default_mhz", "second_mhz"), text=BUILD),
            Source(
                of=("target_mhz",),
                text="ours: 512 bits at 225 MHz already take all that one HBM channel gives; " + BURSTS,
                confidence=Confidence.DERIVED,
            ),
        ),
    ),
    sll=Sll(
        per_boundary=23_040,
        planning=18_645,
        sources=(
            Source(of=("per_boundary",), text=BUILD + ": 16 Laguna columns of 1,440"),
            Source(
                of=("planning",),
                text="rapidstream-org/rapidstream-tapa@9a572fc tests/functional/graphir/u55c_device_config",
            ),
        ),
    ),
    dsp=Dsp(
        type=DspKind.DSP48E2,
        int4_int8_macs=2,
        int8_int8_macs=2,
        sources=(
            Source(
                of=("int4_int8_macs", "int8_int8_macs"),
                text="github.com/Xilinx/finn finn-rtllib/mvu/mvu_vvu_axi.sv; AMD WP486",
            ),
        ),
    ),
    aie=None,
    power=Power(
        limit_watts=150,
        idle_watts=None,
        sources=(
            Source(
                of=("limit_watts",), text="general knowledge of the card", confidence=Confidence.UNVERIFIED
            ),
        ),
    ),
    sources=(
        Source(of=("part", "board_part", "vitis_platform", "shell", "platform_uuid"), text=BUILD),
        Source(
            of=("vitis_versions",),
            text="the shell's release year and the next; 2022.2 and 2023.2 seen: nasir26/stim-u55c@dd0fa7c",
            confidence=Confidence.DERIVED,
        ),
    ),
)
