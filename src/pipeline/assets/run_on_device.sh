#!/bin/sh
# Runs the golden inputs on a Hexagon NPU with qnn-net-run and leaves the outputs in ./output.
# Copy this folder and the compiled model to the device in any way, then:
#   MODEL=model.bin sh run_on_device.sh            a context binary ('hexquant compile')
#   MODEL=libmodel_qnn.so sh run_on_device.sh      a model library (qnn-model-lib-generator)
# Bring ./output back and score it where hexquant is:
#   hexquant evaluate OUT/model.onnx --data OUT/golden/input_list.txt --outputs output --layers
# DEBUG=1 dumps every layer as well (model libraries only).
set -eu
cd "$(dirname "$0")"
MODEL=${MODEL:?name the compiled model: MODEL=model.bin sh run_on_device.sh}
BACKEND=${BACKEND:-libQnnHtp.so}
NET_RUN=${NET_RUN:-qnn-net-run}
case "$MODEL" in
  *.so) set -- --model "$MODEL" ;;
  *.dlc) set -- --dlc_path "$MODEL" ;;
  *) set -- --retrieve_context "$MODEL" ;;
esac
if [ "${DEBUG:-0}" = 1 ]; then set -- "$@" --debug; fi
exec $NET_RUN "$@" --backend "$BACKEND" --input_list input_list.txt --output_dir output \
  --perf_profile "${PERF_PROFILE:-burst}" --profiling_level "${PROFILING_LEVEL:-basic}"
