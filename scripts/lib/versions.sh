# The versions of ONNX Runtime that this revision was tested with; sourced, never run.
# shellcheck shell=bash disable=SC2034

# Library, from the Python package; HEXQUANT_ONNXRUNTIME_VERSION takes another one, unchecked.
ORT_TESTED_LIBRARY_VERSION=1.32.0
# Headers, from Debian's libonnxruntime-dev; a newer one is taken and reported as untested.
ORT_TESTED_HEADER_VERSION=1.23.2

# The wheel is taken for this Python whatever Python runs set-up: only the C++ library in it is used,
# and so one checksum for each architecture can be pinned.
ORT_WHEEL_PYTHON=3.12
ORT_WHEEL_SHA256_x86_64=99e1074c4b2197accd5073052a465361be17b89c093b8ffb6e6bd8f986c52df8
ORT_WHEEL_SHA256_aarch64=e36c187006e7a7c8b8d6d57f1a209dd63f52430dca6c282b177718ad6b841054

# Execution-provider plug-ins (the HTP simulator) need this API; older headers give a CPU-only build.
ORT_PLUGIN_API=22
# The oldest headers that the CPU-only build compiles with (cmake/FindOnnxRuntime.cmake checks the same).
ORT_CPU_API=21

# Debian suites that may carry new enough headers, tried in this order.
ORT_HEADER_SUITES="forky trixie-backports sid"
