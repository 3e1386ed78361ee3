#!/usr/bin/env python3
"""Writes a profile log of a given size, to time 'hexquant profile' on: lines of the article's form.

usage: make_profile_log.py FILE [MEGABYTES] [--format node-lines|viewer-text|qnn-csv|ort-trace|chrome-trace]
       MEGABYTES defaults to 200; 400 layers, a thousandth of the lines malformed
"""

import argparse
import random

LAYERS = [f"/model/stage{number // 40}/block{number % 40}/conv{number}/Conv_output_0" for number in range(400)]
CSV_HEADER = "Msg Timestamp,Message,Time,Unit of Measurement,Timing Source,Event Level,Event Identifier\n"


def node_lines(dice, run):
    """One inference in the article's form."""
    for name in LAYERS:
        time = "n/a" if dice.random() < 0.001 else f"{dice.uniform(1, 500):.1f} us"
        yield f"Node {name} {'CPU' if name.endswith('399/Conv_output_0') else 'HTP'} execute time: {time}\n"


def viewer_text(dice, run):
    """One inference as qnn-profile-viewer prints it."""
    yield f"Execute Stat {run}\nAccelerator (execute) time (cycles) : 900000  cycles\n"
    for number, name in enumerate(LAYERS):
        cycles = "many" if dice.random() < 0.001 else dice.randint(1000, 400000)
        yield f"    {name}:OpId_{number + 20} (cycles) : {cycles}  cycles\n"


def qnn_csv(dice, run):
    """One inference as ONNX Runtime's QNN provider writes it."""
    if run == 0:
        yield CSV_HEADER
    yield f"{run + 1},BACKEND,4,COUNT,BACKEND,ROOT,Number of HVX threads used\n"
    for number, name in enumerate(LAYERS):
        cycles = "many" if dice.random() < 0.001 else dice.randint(1000, 400000)
        yield f"{run + 1},NODE,{cycles},CYCLES,BACKEND,SUB-EVENT,{name}:OpId_{number + 20} (cycles)\n"


def ort_trace(dice, run):
    """One inference in ONNX Runtime's JSON."""
    if run == 0:
        yield "[\n"
    total = 0
    for number, name in enumerate(LAYERS):
        time = dice.randint(1, 500)
        total += time
        yield ('{"cat" : "Node","pid" :1,"tid" :1,"dur" :%d,"ts" :%d,"ph" : "X","name" :"%s_kernel_time","args" : {'
               '"output_type_shape" : [{"float":[1,64,56,56]}],"op_name" : "Conv","provider" : "CPUExecutionProvider",'
               '"node_index" : "%d","input_type_shape" : [{"float":[1,64,56,56]},{"float":[64,64,3,3]}]}},\n'
               % (time, run, name, number))
    yield '{"cat" : "Session","pid" :1,"tid" :1,"dur" :%d,"ts" :%d,"ph" : "X","name" :"model_run","args" : {}},\n' % (total, run)


def chrome_trace(dice, run):
    """One inference in the trace that qnn-profile-viewer makes."""
    if run == 0:
        yield '{"header": {"artifact_type": "OP_TRACE"},\n"traceEvents": [\n'
    for number, name in enumerate(LAYERS):
        start = 500 * (run * len(LAYERS) + number)
        yield ('{"name": "q::ConvLayer.opt", "ph": "X", "pid": 0, "tid": 256, "ts": %d, "dur": %d, "args": {"ID": "0x%x", '
               '"QNN Op Name": "%s", "QNN Op Type": "Conv2d", "HTP Op Type": "q::ConvLayer.opt", "Start Cycle": %d, '
               '"Duration (cycles)": 600, "Dominant Path Cycles": 500, "Flags": ["uses_hmx"]}},\n'
               % (start, dice.randint(1, 400), dice.getrandbits(40), name, start))


WRITERS = {"node-lines": node_lines, "viewer-text": viewer_text, "qnn-csv": qnn_csv, "ort-trace": ort_trace,
           "chrome-trace": chrome_trace}


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("megabytes", nargs="?", type=float, default=200.0)
    parser.add_argument("--format", choices=sorted(WRITERS), default="node-lines")
    arguments = parser.parse_args()
    dice = random.Random(1)
    left = arguments.megabytes * 1e6
    run = 0
    with open(arguments.file, "w", encoding="utf-8") as log:
        while left > 0:
            text = "".join(WRITERS[arguments.format](dice, run))
            log.write(text)
            left -= len(text)
            run += 1


if __name__ == "__main__":
    main()
