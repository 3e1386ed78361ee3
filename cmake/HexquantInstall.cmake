# cmake --install: the program, the shared library, headers and the package files.
