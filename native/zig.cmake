# Toolchain: compiles for another system with the Clang of Zig (`pip install ziglang`).
#
#   cmake -DCMAKE_TOOLCHAIN_FILE=native/zig.cmake -DCTCKIT_ZIG=PATH -DCTCKIT_TARGET=aarch64-linux-musl …
#
# CTCKIT_ZIG is the program zig, CTCKIT_TARGET one of its targets: architecture-system-library, and for glibc the oldest
# version that the program has to run with: x86_64-linux-gnu.2.28.
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES CTCKIT_ZIG CTCKIT_TARGET)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY) # to link anything, Zig first builds the C++ library: minutes
string(REPLACE "-" ";" parts "${CTCKIT_TARGET}")
list(GET parts 0 CMAKE_SYSTEM_PROCESSOR)
list(GET parts 1 system)
set(CMAKE_SYSTEM_NAME_linux Linux)
set(CMAKE_SYSTEM_NAME_macos Darwin)
set(CMAKE_SYSTEM_NAME_windows Windows)
set(CMAKE_SYSTEM_NAME ${CMAKE_SYSTEM_NAME_${system}})

set(CMAKE_CXX_COMPILER "${CTCKIT_ZIG}" c++)
set(CMAKE_CXX_COMPILER_TARGET ${CTCKIT_TARGET})
set(CMAKE_CXX_ARCHIVE_CREATE "\"${CTCKIT_ZIG}\" ar qc <TARGET> <OBJECTS>")
set(CMAKE_CXX_ARCHIVE_APPEND "\"${CTCKIT_ZIG}\" ar q <TARGET> <OBJECTS>")
set(CMAKE_CXX_ARCHIVE_FINISH "\"${CTCKIT_ZIG}\" ranlib <TARGET>")

# The ABI of Python that scikit-build-core asks for: when CMake compiles for another system, it does not ask the Python
# that it found for its ABI, and so it would refuse a free-threaded one.
unset(Python_FIND_ABI CACHE)
