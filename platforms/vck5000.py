"""AMD VCK5000: a Versal card with DDR4 behind a network on chip, DSP58s and an AI Engine array."""

from stbuild.platform import (
    AieArray,
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
    Slr,
    Source,
)

GUIDE = "github.com/Xilinx/Alveo-Versal-Platforms@91dd162 ug_vck5000_gen4x8_qdma.rst"
INSTALL = "github.com/Xilinx/Alveo-Versal-Platforms@91dd162 getting-started/install_deployment.rst"
TOPOLOGY = "github.com/nqdtan/vck5000_vivado_ulp@61ce49b xclbin_generator/mem_topology.json"
DS957 = "AMD DS957, AI Engine Switching Characteristics (-2, 0.80 V)"
AM009 = "AMD AM009, AI Engine to Programmable Logic Interface: 39 columns of 8 streams in, 6 out"
CHARM = "github.com/arc-research-lab/CHARM CDSE/cdse.py"

VCK5000 = Platform(
    name="vck5000",
    title="AMD VCK5000",
    part="xcvc1902-vsvd1760-2MP-e-S",
    board_part="xilinx.com:vck5000:part0:1.0",
    vitis_platform="xilinx_vck5000_gen4x8_qdma_2_202220_1",
    shell="xilinx_vck5000_gen4x8_qdma_base_2",
    platform_uuid="05DCA096-76CB-730B-8D19-EC1192FBAE3F",
    vitis_versions=("2022.2", "2023.1"),
    slrs=(
        Slr(
            index=0,
            die=Fabric(lut=899_840, ff=1_799_680, bram36=967, uram=463, dsp=1_968),
            available=Fabric(lut=880_000, ff=1_760_000, bram36=967, uram=463, dsp=1_968),
            sources=(
                Source(
                    of=("index", "die"),
                    text=GUIDE + ", which says 900K LUT; the exact count is unverified",
                    confidence=Confidence.UNVERIFIED,
                ),
                Source(of=("available",), text=GUIDE),
            ),
        ),
    ),
    memories=(
        Memory(
            type=MemoryType.NOC,
            tag="MC_NOC0",
            banks=4,
            bytes_per_bank=3 * 2**30,
            base_address=0xC1_0000_0000,
            peak_gbs_per_bank=19.2,
            measured_gbs_per_bank=12.635,
            read_latency_ns=None,
            slrs=(0,),
            port_bits=512,
            port_mhz=None,
            bank_cost=Fabric(lut=0, ff=0),
            sources=(
                Source(of=("banks", "bytes_per_bank"), text=GUIDE + ": 4 channels, 12 GB to kernels"),
                Source(of=("base_address", "slrs"), text=TOPOLOGY),
                Source(
                    of=("peak_gbs_per_bank",),
                    text="the kernels' 12 of 16 GB of DDR4-3200 at 102.4 GB/s: 76.8 GB/s over 4",
                    confidence=Confidence.DERIVED,
                ),
                Source(
                    of=("measured_gbs_per_bank",),
                    text=INSTALL + ": kernel test 50,540 MB/s over 4, with the gen3x16 shell",
                ),
                Source(
                    of=("port_bits", "bank_cost"),
                    text="NoC and controllers are hard blocks; " + GUIDE,
                    confidence=Confidence.DERIVED,
                ),
            ),
        ),
    ),
    axi=AxiPorts(
        limit=26,
        practical=26,
        adapter_cost=Fabric(lut=1_704, ff=2_671, bram36=8.5),
        sources=(
            Source(of=("limit",), text=GUIDE + ": 26 of 28 NoC master units are left to kernels"),
            Source(
                of=("practical",),
                text="no published limit below the shell's",
                confidence=Confidence.UNVERIFIED,
            ),
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
            Source(of=("default_mhz", "second_mhz"), text=GUIDE),
            Source(
                of=("target_mhz",),
                text="ours: one target for all cards until a build says otherwise",
                confidence=Confidence.DERIVED,
            ),
        ),
    ),
    sll=None,
    dsp=Dsp(
        type=DspKind.DSP58,
        int4_int8_macs=3,
        int8_int8_macs=3,
        sources=(
            Source(
                of=("int4_int8_macs", "int8_int8_macs"),
                text="github.com/Xilinx/finn finn-rtllib/mvu/mvu_vvu_axi.sv; AMD AM004, vector ALU mode",
            ),
        ),
    ),
    aie=AieArray(
        columns=50,
        rows=8,
        clock_mhz=1_250,
        int8_macs_per_tile=128,
        data_kib_per_tile=32,
        streams_in=312,
        streams_out=234,
        sources=(
            Source(of=("columns", "rows"), text=GUIDE + ": 400 tiles; AMD AM009"),
            Source(of=("clock_mhz",), text=DS957),
            Source(of=("int8_macs_per_tile",), text=CHARM),
            Source(of=("data_kib_per_tile",), text="AMD UG1304"),
            Source(of=("streams_in", "streams_out"), text=AM009, confidence=Confidence.DERIVED),
        ),
    ),
    power=Power(
        limit_watts=225,
        idle_watts=25.84,
        sources=(
            Source(of=("limit_watts",), text=INSTALL + ": maximum that the card reports"),
            Source(of=("idle_watts",), text=INSTALL + ": one example reading"),
        ),
    ),
    sources=(
        Source(of=("part", "board_part", "vitis_platform", "platform_uuid"), text=GUIDE),
        Source(of=("shell",), text="by analogy with the U55C's name", confidence=Confidence.UNVERIFIED),
        Source(
            of=("vitis_versions",),
            text="vendor: 2022.2 only; github.com/arc-research-lab/CHARM README: 2022.2 to 2023.1 work",
            confidence=Confidence.DERIVED,
        ),
    ),
)
