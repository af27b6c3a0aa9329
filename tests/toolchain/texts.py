"""Reports of v++ and Vivado in the shape of real ones, written for these tests, with made-up figures."""

TIMING = """Copyright 1986-2022 Xilinx, Inc. All Rights Reserved.
| Command      : report_timing_summary -max_paths 10

Timing Summary Report

------------------------------------------------------------------------------------------------
| Design Timing Summary
| ---------------------
------------------------------------------------------------------------------------------------

    WNS(ns)      TNS(ns)  TNS Failing Endpoints  TNS Total Endpoints      WHS(ns)      THS(ns)  THS Failing Endpoints  THS Total Endpoints     WPWS(ns)     TPWS(ns)  TPWS Failing Endpoints  TPWS Total Endpoints  
    -------      -------  ---------------------  -------------------      -------      -------  ---------------------  -------------------     --------     --------  ----------------------  --------------------  
     {wns}    {tns}                  {failing}               842374        {whs}        0.000                      0               842374        0.000        0.000                       0                301024  


{verdict}


------------------------------------------------------------------------------------------------
| Clock Summary
| -------------
------------------------------------------------------------------------------------------------

Clock                        Waveform(ns)         Period(ns)      Frequency(MHz)
-----                        ------------         ----------      --------------
clk_kernel_00_unbuffered_net {{0.000 2.000}}        4.000           250.000         
  hbm_aclk                   {{0.000 1.111}}        2.222           450.045         


------------------------------------------------------------------------------------------------
| Intra Clock Table
| -----------------
"""
MET = TIMING.format(
    wns="0.003", tns="0.000", failing=0, whs="0.010", verdict="All user specified timing constraints are met."
)
UNMET = TIMING.format(
    wns="-0.721", tns="-1203.500", failing=10576, whs="0.010", verdict="Timing constraints are not met."
)
UNCONSTRAINED = TIMING.format(wns="NA", tns="NA", failing="NA", whs="NA", verdict="")

SLR_UTIL = """| Command      : report_utilization -slr -file slr_util_routed.rpt -pb slr_util_routed.pb

1. SLR Connectivity
-------------------

+----------------------------------+-------+-------+-----------+-------+
|                                  |  Used | Fixed | Available | Util% |
+----------------------------------+-------+-------+-----------+-------+
| SLR2 <-> SLR1                    |  5099 |       |     23040 | 22.13 |
|   SLR1 -> SLR2                   |  2590 |       |           | 11.24 |
| SLR1 <-> SLR0                    | 24100 |       |     23040 | 104.6 |
+----------------------------------+-------+-------+-----------+-------+

3. SLR CLB Logic and Dedicated Block Utilization
------------------------------------------------

+----------------------------+--------+-------+-------+--------+--------+--------+
|          Site Type         |  SLR0  |  SLR1 |  SLR2 | SLR0 % | SLR1 % | SLR2 % |
+----------------------------+--------+-------+-------+--------+--------+--------+
| CLB LUTs                   |  64352 | 58106 | 25789 |  14.64 |  13.45 |   5.97 |
|   LUT as Memory            |   9727 |  3668 |  1521 |   4.73 |   1.85 |   0.77 |
| CLB Registers              | 104542 | 66240 | 35751 |  11.89 |   7.67 |   4.14 |
| Block RAM Tile             |    159 |    90 |    50 |  23.66 |  13.39 |  {bram} |
| URAM                       |      0 |     0 |     0 |   0.00 |   0.00 |   0.00 |
| DSPs                       |     76 |     0 |     4 |   2.64 |   0.00 |  <0.01 |
+----------------------------+--------+-------+-------+--------+--------+--------+
"""
KERNEL_UTIL = """| Command      : report_accelerator_utilization -kernels { k:level0_i/ulp/k_1/inst:k_1 } -file f.rpt

+----------------------+-------------------+------------------+-------------------+----------------+---------------+----------------+
| Name                 | LUT               | LUTAsMem         | REG               | BRAM           | URAM          | DSP            |
+----------------------+-------------------+------------------+-------------------+----------------+---------------+----------------+
| Platform             |  121929 [  9.35%] |   8742 [  1.45%] |  165562 [  6.35%] |  198 [  9.82%] |   0 [  0.00%] |    4 [  0.04%] |
| User Budget          | 1181751 [100.00%] | 592218 [100.00%] | 2441798 [100.00%] | 1818 [100.00%] | 960 [100.00%] | 9020 [100.00%] |
| k                    |   82553 [  6.99%] |    837 [  0.14%] |   81289 [  3.33%] |   21 [  1.16%] |   0 [  0.00%] |  708 [  7.85%] |
|    k_1               |   82553 [  6.99%] |    837 [  0.14%] |   81289 [  3.33%] |   21 [  1.16%] |   0 [  0.00%] |  708 [  7.85%] |
+----------------------+-------------------+------------------+-------------------+----------------+---------------+----------------+
"""
DEVICE_UTIL = """| Command      : report_utilization -file top_utilization_placed.rpt

+----------------------------+------+-------+------------+-----------+-------+
|          Site Type         | Used | Fixed | Prohibited | Available | Util% |
+----------------------------+------+-------+------------+-----------+-------+
| CLB LUTs                   |  999 |     0 |          0 |    162720 |  0.61 |
| CLB Registers              |  920 |     0 |          0 |    325440 |  0.28 |
+----------------------------+------+-------+------------+-----------+-------+

+-------------------+------+-------+------------+-----------+--------+
|     Site Type     | Used | Fixed | Prohibited | Available | Util%  |
+-------------------+------+-------+------------+-----------+--------+
| Block RAM Tile    |  315 |     0 |          0 |       288 | 109.38 |
+-------------------+------+-------+------------+-----------+--------+
"""

LINK_SUMMARY = """<ENTRY>
{
 "thisFile": "/home/u/build/a.xclbin.link_summary",
 "timestamp": "0"
}
</ENTRY>
<ENTRY>
{
 "type": "ET_CmdStep",
 "buildStep": { "cmdId": "c4", "name": "v++", "logFile": "link.steps.log", "args": [ "-l", "-t", "hw" ] }
}
</ENTRY>
<ENTRY>
{ "type": "ET_Status", "status": { "cmdId": "c4", "state": "CS_RUNNING" } }
</ENTRY>
<ENTRY>
{
 "type": "ET_FlowMetaData",
 "buildSummary": { "hardwarePlatform": "xilinx_u55c.xpfm", "target": "TT_HW",
  "kernels": [ { "base": { "type": "KERNEL", "name": "k" } } ],
  "toolVersion": "Vitis V++ Compiler Release 2022.2. SW Build 3671529" }
}
</ENTRY>
<ENTRY>
{ "type": "ET_SubCmdStep", "buildStep": { "cmdId": "86", "name": "vpl", "args": [] } }
</ENTRY>
<ENTRY>
{ "type": "ET_Report", "report": { "path": "/home/u/_x/imp/impl_1_kernel_util_routed.rpt", "name": "",
  "fileType": "TEXT", "reportType": "GLOBAL_UTILIZATION_ROUTE" } }
</ENTRY>
<ENTRY>
{ "type": "ET_Status", "status": { "cmdId": "86", "state": "CS_FAILED" } }
</ENTRY>
<ENTRY>
{ "type": "ET_Status", "status": { "cmdId": "c4", "sta
</ENTRY>
"""

AUTOMATION = """Version:    xcd v2022.2 (64-bit)

Compute Unit: k_1
Clock ID: 0
Platform Clock Frequency: 300.000000 MHz
Requested Kernel Clock Frequency: 300.000000 MHz
Achieved Kernel Clock Frequency: 285.700000 MHz
Source Pin: ulp_ucs/aclk_kernel_00
"""
XCLBIN_INFO = """xclbin Information
------------------
   Generated by:           v++ (2022.2) on 2022-10-13-17:52:11

Scalable Clocks
---------------
   Name:      hbm_aclk
   Index:     0
   Type:      SYSTEM
   Frequency: 450 MHz

   Name:      DATA_CLK
   Index:     2
   Type:      DATA
   Frequency: 135 MHz
{system}"""
SYSTEM_CLOCKS = """
System Clocks
------
   Name:           ulp_ucs_aclk_kernel_00 
   Type:           SCALABLE 
   Default Freq:   300 MHz
   Requested Freq: 150 MHz
   Achieved Freq:  135.3 MHz
"""
SELECTED = (
    "INFO: [v++ 60-1230] The compiler selected the following frequencies for the runtime controllable kernel "
    "clock(s) and scalable system clock(s): System (SYSTEM) clock: clk_hbm = 450, Kernel (DATA) clock: "
    "clkwiz_kernel_clk_out1 = 272, Kernel (KERNEL) clock: clkwiz_kernel2_clk_out1 = 500"
)
SCALED = (
    "WARNING: [VPL 60-732] Link warning: One or more timing paths failed timing targeting 320 MHz for kernel "
    "clock 'clk_kernel_in'. The frequency is being automatically changed to 307.5 MHz to enable proper functionality"
)
