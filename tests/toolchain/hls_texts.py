"""Reports of HLS in the shape of real ones, written for these tests, with made-up figures."""

MODULE_XML = """<profile>

<ReportVersion>
<Version>2019.2</Version>
</ReportVersion>

<UserAssignments>
<unit>ns</unit>
<Part>xcu280-fsvh2892-2L-e</Part>
<TopModelName>Reader</TopModelName>
<TargetClockPeriod>4.00</TargetClockPeriod>
<ClockUncertainty>0.50</ClockUncertainty>
</UserAssignments>

<PerformanceEstimates>
<PipelineType>none</PipelineType>
<SummaryOfTimingAnalysis>
<unit>ns</unit>
<EstimatedClockPeriod>4.163</EstimatedClockPeriod>
</SummaryOfTimingAnalysis>
<SummaryOfOverallLatency>
<Best-caseLatency>undef</Best-caseLatency>
<Worst-caseLatency>undef</Worst-caseLatency>
<Interval-min>undef</Interval-min>
<Interval-max>undef</Interval-max>
</SummaryOfOverallLatency>
<SummaryOfLoopLatency>
<requests>
<TripCount>undef</TripCount>
<Latency>undef</Latency>
<IterationLatency>undef</IterationLatency>
<reads>
<TripCount>
<range>
<min>2</min>
<max>196626</max>
</range>
</TripCount>
<Latency>2 ~ 196626</Latency>
<PipelineII>3</PipelineII>
<PipelineDepth>36</PipelineDepth>
</reads>
<writes>
<TripCount>16</TripCount>
<Latency>18</Latency>
<PipelineII>1</PipelineII>
<PipelineDepth>2</PipelineDepth>
</writes>
</requests>
</SummaryOfLoopLatency>
</PerformanceEstimates>

<AreaEstimates>
<Resources>
<BRAM_18K>4</BRAM_18K>
<DSP48E>160</DSP48E>
<FF>99920</FF>
<LUT>101664</LUT>
<URAM>64</URAM>
</Resources>
<AvailableResources>
<BRAM_18K>4032</BRAM_18K>
<DSP48E>9024</DSP48E>
<FF>2607360</FF>
<LUT>1303680</LUT>
<URAM>960</URAM>
</AvailableResources>
</AreaEstimates>
</profile>
"""

SUMMARY_XML = """<?xml version="1.0" encoding="UTF-8"?>
<profile>
    <ReportVersion><Version>2022.2</Version></ReportVersion>
    <UserAssignments>
        <unit>ns</unit><Part>xcu55c-fsvh2892-2L-e</Part><TopModelName>top</TopModelName>
        <TargetClockPeriod>4.00</TargetClockPeriod><ClockUncertainty>1.08</ClockUncertainty>
        <FlowTarget>vitis</FlowTarget>
    </UserAssignments>
    <PerformanceEstimates>
        <SummaryOfTimingAnalysis><EstimatedClockPeriod>2.920</EstimatedClockPeriod></SummaryOfTimingAnalysis>
    </PerformanceEstimates>
    <AreaEstimates><Resources><LUT>21473</LUT></Resources></AreaEstimates>
    <ModuleInformation>
        <Module>
            <Name>top_Pipeline_VITIS_LOOP_57_1</Name>
            <Loops><VITIS_LOOP_57_1/></Loops>
            <PerformanceEstimates>
                <SummaryOfOverallLatency>
                    <Best-caseLatency>202</Best-caseLatency><Worst-caseLatency>202</Worst-caseLatency>
                    <PipelineInitiationInterval>202</PipelineInitiationInterval>
                </SummaryOfOverallLatency>
                <SummaryOfLoopLatency>
                    <VITIS_LOOP_57_1>
                        <Name>VITIS_LOOP_57_1</Name><Slack>2.92</Slack><TripCount>24</TripCount>
                        <Latency>200</Latency><AbsoluteTimeLatency>0.8 us</AbsoluteTimeLatency>
                        <PipelineII>4</PipelineII><PipelineDepth>28</PipelineDepth>
                        <PipelineType>yes</PipelineType><InstanceList/>
                    </VITIS_LOOP_57_1>
                </SummaryOfLoopLatency>
            </PerformanceEstimates>
            <AreaEstimates><Resources>
                <FF>2694</FF><AVAIL_FF>2607360</AVAIL_FF><UTIL_FF>~0</UTIL_FF><LUT>8615</LUT><DSP>9</DSP>
                <BRAM_18K>0</BRAM_18K><URAM>0</URAM>
            </Resources></AreaEstimates>
        </Module>
        <Module>
            <Name>top</Name>
            <PerformanceEstimates>
                <SummaryOfLoopLatency><Loop1><Name>Loop 1</Name><TripCount>inf</TripCount>
                    <PipelineType>no</PipelineType></Loop1></SummaryOfLoopLatency>
            </PerformanceEstimates>
            <AreaEstimates><Resources><LUT>21473</LUT><FF>13523</FF><DSP>9</DSP></Resources></AreaEstimates>
        </Module>
    </ModuleInformation>
</profile>
"""

SUMMARY_RPT = """

================================================================
== Synthesis Summary Report of 'top'
================================================================
+ General Information: 
    * Date:           Wed May  6 11:18:43 2026
    * Version:        2023.1 (Build 3854077 on May  4 2023)
    * Solution:       solution1 (Vitis Kernel Flow Target)
    * Target device:  xcu55c-fsvh2892-2L-e
    

+ Performance & Resource Estimates: 
    
    PS: '+' for module; 'o' for loop; '*' for dataflow
    +--------------------------------+------+------+---------+-----------+----------+---------+------+----------+---------+--------+-----------+------------+-----+
    |             Modules            | Issue|      | Latency |  Latency  | Iteration|         | Trip |          |         |        |           |            |     |
    |             & Loops            | Type | Slack| (cycles)|    (ns)   |  Latency | Interval| Count| Pipelined|  BRAM   |   DSP  |     FF    |     LUT    | URAM|
    +--------------------------------+------+------+---------+-----------+----------+---------+------+----------+---------+--------+-----------+------------+-----+
    |+ top*                          |     -|  0.10|        -|          -|         -|        -|     -|  dataflow|  2 (~0%)| 9 (~0%)|  96 (~0%)|  320 (~0%)|    -|
    | + top_Pipeline_VITIS_LOOP_57_1 |     -|  2.97|       65|    650.000|         -|       65|     -|        no|        -|       -|   8 (~0%)|   59 (~0%)|    -|
    |  o VITIS_LOOP_57_1             |    II|  7.30|    68110|  6.811e+05|        19|        4| 17024|       yes|        -|       -|         -|          -|    -|
    | o rows                         |     -|  7.30|      120|  1.200e+03|        12|        -|    10|        no|        -|       -|         -|          -|    -|
    |  o columns                     |     -|  7.30|       10|    100.000|         2|        1|     5|       yes|        -|       -|         -|          -|    -|
    +--------------------------------+------+------+---------+-----------+----------+---------+------+----------+---------+--------+-----------+------------+-----+
"""

MODULE_RPT = """

================================================================
== Vitis HLS Report for 'sampler'
================================================================
* Date:           Tue Sep  1 15:08:53 2026

* Version:        2023.2 (Build 4023990 on Oct 11 2023)
* Solution:       solution (Vitis Kernel Flow Target)
* Product family: virtexuplusHBM
* Target device:  xcu55c-fsvh2892-2L-e


================================================================
== Performance Estimates
================================================================
+ Timing: 
    * Summary: 
    +--------+---------+----------+------------+
    |  Clock |  Target | Estimated| Uncertainty|
    +--------+---------+----------+------------+
    |ap_clk  |  4.00 ns|  3.044 ns|     1.08 ns|
    +--------+---------+----------+------------+

+ Latency: 
    * Summary: 
    +---------+---------+----------+----------+-----+-----+---------+
    |  Latency (cycles) |  Latency (absolute) |  Interval | Pipeline|
    |   min   |   max   |    min   |    max   | min | max |   Type  |
    +---------+---------+----------+----------+-----+-----+---------+
    |       83|      331|  0.332 us|  1.324 us|   83|  331|       no|
    +---------+---------+----------+----------+-----+-----+---------+

    + Detail: 
        * Instance: 
        N/A

        * Loop: 
        +---------------------+---------+---------+----------+-----------+-----------+------+----------+
        |                     |  Latency (cycles) | Iteration|  Initiation Interval  | Trip |          |
        |      Loop Name      |   min   |   max   |  Latency |  achieved |   target  | Count| Pipelined|
        +---------------------+---------+---------+----------+-----------+-----------+------+----------+
        |- LAYERS             |        ?|        ?|         ?|          -|          -|     ?|        no|
        | + FOLD              |        ?|        ?|  80 ~ 499|          4|          1|     8|       yes|
        +---------------------+---------+---------+----------+-----------+-----------+------+----------+



================================================================
== Utilization Estimates
================================================================
* Summary: 
+---------------------+---------+------+---------+---------+-----+
|         Name        | BRAM_18K|  DSP |    FF   |   LUT   | URAM|
+---------------------+---------+------+---------+---------+-----+
|Instance             |       60|   708|   119881|   167764|    0|
|Memory               |        6|     -|       64|       65|    0|
+---------------------+---------+------+---------+---------+-----+
|Total                |       66|   708|   144350|   217722|    0|
+---------------------+---------+------+---------+---------+-----+
|Available SLR        |     1344|  3008|   869120|   434560|  320|
+---------------------+---------+------+---------+---------+-----+
|Available            |     4032|  9024|  2607360|  1303680|  960|
+---------------------+---------+------+---------+---------+-----+
|Utilization (%)      |        1|     7|        5|       16|    0|
+---------------------+---------+------+---------+---------+-----+
"""
