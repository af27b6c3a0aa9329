"""AMD Alveo U280: 8 GiB of HBM2 and two banks of DDR4, three SLRs."""

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

CHIP_KNN = (
    "platforminfo of an OLDER shell, xilinx_u280_xdma_201920_3 (github.com/SFU-HiAccel/CHIP-KNN "
    "scripts/config.py): no figures per SLR were found for xilinx_u280_gen3x16_xdma_1_202211_1"
)
DIE = "same die geometry as the U55C (identical totals), github.com/omsheladia/attention_score_u55c@b3e00e4"
UG1393 = "AMD UG1393 2023.1, HBM Configuration and Use"
PG276 = "AMD PG276, as quoted in public material: 128 clocks of 900 MHz across the switch, page closed"
SHUHAI = "Shuhai, arXiv 2005.04324: 425 GB/s over 32 channels"
BURSTS = (
    "github.com/Xilinx/Vitis_Accel_Examples@7249a1a performance/axi_burst_performance: 512 bits, long bursts"
)
TAPA = "rapidstream-org/rapidstream-tapa@9a572fc serpens-32ch gen_config.py: 100,000 LUT, 120,000 FF for 32"
TAPA_DDR = (
    "github.com/rapidstream-org/rapidstream-tapa@9a572fc serpens-32ch gen_config.py, for each DDR controller"
)
UG1120 = "AMD UG1120 v2.0.1, DMA Configurations"
CAP = "designs on the U280 stop at 28 ports for frequency; 32 congest SLR0 (public build logs)"
SHELL = "AMD shell name as published; no build report was found for this shell"

U280 = Platform(
    name="u280",
    title="AMD Alveo U280",
    part="xcu280-fsvh2892-2L-e",
    board_part="xilinx.com:au280:part0:1.1",
    vitis_platform="xilinx_u280_gen3x16_xdma_1_202211_1",
    shell="xilinx_u280_gen3x16_xdma_base_1",
    platform_uuid=None,
    vitis_versions=("2022.1", "2022.2", "2023.1", "2023.2"),
    slrs=(
        Slr(
            index=0,
            die=Fabric(lut=439_680, ff=879_360, bram36=672, uram=320, dsp=2_880),
            available=Fabric(lut=369_145, ff=745_576, bram36=507, uram=320, dsp=2_733),
            sources=(
                Source(of=("index", "die"), text=DIE, confidence=Confidence.DERIVED),
                Source(of=("available",), text=CHIP_KNN, confidence=Confidence.DERIVED),
            ),
        ),
        Slr(
            index=1,
            die=Fabric(lut=432_000, ff=864_000, bram36=672, uram=320, dsp=3_072),
            available=Fabric(lut=333_217, ff=676_164, bram36=468, uram=320, dsp=2_877),
            sources=(
                Source(of=("index", "die"), text=DIE, confidence=Confidence.DERIVED),
                Source(of=("available",), text=CHIP_KNN, confidence=Confidence.DERIVED),
            ),
        ),
        Slr(
            index=2,
            die=Fabric(lut=432_000, ff=864_000, bram36=672, uram=320, dsp=3_072),
            available=Fabric(lut=367_546, ff=729_059, bram36=512, uram=320, dsp=2_880),
            sources=(
                Source(of=("index", "die"), text=DIE, confidence=Confidence.DERIVED),
                Source(of=("available",), text=CHIP_KNN, confidence=Confidence.DERIVED),
            ),
        ),
    ),
    memories=(
        Memory(
            type=MemoryType.HBM,
            tag="HBM[{bank}]",
            banks=32,
            bytes_per_bank=256 * 2**20,
            base_address=0,
            peak_gbs_per_bank=14.375,
            measured_gbs_per_bank=13.3,
            read_latency_ns=142.2,
            slrs=(0,),
            port_bits=256,
            port_mhz=450,
            bank_cost=Fabric(lut=3_125, ff=3_750),
            sources=(
                Source(
                    of=("banks", "bytes_per_bank", "base_address", "slrs", "peak_gbs_per_bank"),
                    text=UG1393 + ": 460 GB/s and 8 GiB over 32",
                ),
                Source(of=("port_bits", "port_mhz"), text=UG1393),
                Source(of=("measured_gbs_per_bank",), text=SHUHAI),
                Source(of=("read_latency_ns",), text=PG276, confidence=Confidence.DERIVED),
                Source(of=("bank_cost",), text=TAPA, confidence=Confidence.DERIVED),
            ),
        ),
        Memory(
            type=MemoryType.DDR,
            tag="DDR[{bank}]",
            banks=2,
            bytes_per_bank=16 * 2**30,
            base_address=0x40_0000_0000,
            peak_gbs_per_bank=19.25,
            measured_gbs_per_bank=None,
            read_latency_ns=None,
            slrs=(0, 1),
            port_bits=512,
            port_mhz=300,
            bank_cost=Fabric(lut=25_000, ff=20_000),
            sources=(
                Source(of=("banks", "bytes_per_bank", "peak_gbs_per_bank", "slrs"), text=UG1120),
                Source(
                    of=("base_address", "port_bits", "port_mhz"),
                    text="XRT examples for the U280",
                    confidence=Confidence.UNVERIFIED,
                ),
                Source(of=("bank_cost",), text=TAPA_DDR, confidence=Confidence.DERIVED),
            ),
        ),
    ),
    axi=AxiPorts(
        limit=32,
        practical=28,
        adapter_cost=Fabric(lut=1_704, ff=2_671, bram36=8.5),
        sources=(
            Source(of=("limit",), text=UG1393 + ": 32 AXI ports of the HBM subsystem"),
            Source(of=("practical",), text=CAP, confidence=Confidence.DERIVED),
            Source(
                of=("adapter_cost",),
                text="as routed on a U55C: half of a kernel with two ports, an upper bound; "
                "github.com/omsheladia/attention_score_u55c@b3e00e4",
                confidence=Confidence.DERIVED,
            ),
        ),
    ),
    clocks=Clocks(
        default_mhz=300,
        second_mhz=500,
        target_mhz=250,
        scalable=True,
        sources=(
            Source(
                of=("default_mhz", "second_mhz"),
                text="as the U55C, whose shell is of the same kind",
                confidence=Confidence.DERIVED,
            ),
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
            Source(of=("per_boundary",), text=DIE, confidence=Confidence.DERIVED),
            Source(
                of=("planning",),
                text="as the U55C; rapidstream-org/rapidstream-tapa@9a572fc u55c_device_config.json",
                confidence=Confidence.DERIVED,
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
        limit_watts=225,
        idle_watts=None,
        sources=(
            Source(
                of=("limit_watts",), text="general knowledge of the card", confidence=Confidence.UNVERIFIED
            ),
        ),
    ),
    sources=(
        Source(of=("part", "board_part", "vitis_platform"), text=SHELL, confidence=Confidence.DERIVED),
        Source(of=("shell",), text="by analogy with the U55C's name", confidence=Confidence.UNVERIFIED),
        Source(
            of=("vitis_versions",),
            text="the shell's release year and the next, the policy that v++ 60-1299 enforces",
            confidence=Confidence.DERIVED,
        ),
    ),
)
