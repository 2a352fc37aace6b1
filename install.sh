#!/bin/sh
# Builds the C libraries and installs them, with their headers, for pkg-config and CMake:
#
#   sh install.sh [--prefix=DIR] [--libdir=DIR]
#
# It needs cargo and nothing else. DIR is /usr/local; the libraries go to its folder lib, or to the folder
# of it that --libdir names. Where only root may write, SUDO=sudo lets what writes there be run by sudo, and
# nothing else. DESTDIR is put before every path that is written to, and before none that is written down.
set -eu
umask 022

die() {
    echo "install.sh: $*" >&2
    exit 1
}

prefix=/usr/local
libdir=lib
while [ $# -gt 0 ]; do
    case $1 in
    --prefix=*) prefix=${1#*=} ;;
    --libdir=*) libdir=${1#*=} ;;
    --prefix | --libdir)
        [ $# -gt 1 ] || die "$1 needs a folder"
        if [ "$1" = --prefix ]; then prefix=$2; else libdir=$2; fi
        shift
        ;;
    -h | --help)
        sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
        exit
        ;;
    *) die "unknown option $1; --help tells of those that there are" ;;
    esac
    shift
done
case $libdir in
"" | /* | *..*) die "--libdir is a folder below the prefix, as lib or lib64" ;;
esac
case $prefix in
/*) ;;
*) prefix=$(pwd)/$prefix ;;
esac

here=$(cd "$(dirname "$0")" && pwd)
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$here/Cargo.toml" | head -n 1)
# Raised when a function goes, or changes what it takes or gives; not when one comes.
abi=0

# A folder of its own: other flags than those of a build by hand, which would be done anew each time.
built=${CARGO_TARGET_DIR:-$here/target}/install
case $built in
/*) ;;
*) built=$here/$built ;;
esac
# Several may install from one build at once, to different folders.
stage=$built/stage.$$
trap 'rm -rf "$stage"' EXIT

case $(uname -s) in
Darwin)
    shared=libolemem.$abi.dylib
    whole=libolemem.$version.dylib
    plain=libolemem.dylib
    soname=$prefix/$libdir/$shared
    name_flag=-Wl,-install_name,$soname
    private=
    cmake_private=
    ;;
*)
    shared=libolemem.so.$abi
    whole=libolemem.so.$version
    plain=libolemem.so
    soname=$shared
    name_flag=-Wl,-soname,$soname
    private='-lpthread -ldl -lm'
    cmake_private='pthread;dl;m'
    ;;
esac

# ------------------------------------------------------------------------------------------------ build

unset CARGO_BUILD_TARGET
(cd "$here" && "${CARGO:-cargo}" rustc --locked --quiet --release --lib --features export,audit \
    --crate-type staticlib,cdylib --target-dir "$built" -- "-Clink-arg=$name_flag")
for file in "$plain" libolemem.a; do
    [ -f "$built/release/$file" ] || die "cargo made no $built/release/$file"
done

# ------------------------------------------------------------------------- the files that lead to the rest

mkdir -p "$stage"
cat >"$stage/olemem.pc" <<PC
prefix=$prefix
libdir=\${prefix}/$libdir
includedir=\${prefix}/include

Name: olemem
Description: COM's memory: BSTR strings, the COM task allocator, and an audit of who owns what
Version: $version
Libs: "-L\${libdir}" -lolemem
Libs.private: $private
Cflags: "-I\${includedir}/olemem/win32"
PC

# From lib/cmake/olemem back to the prefix.
up=../..
for _ in $(echo "$libdir" | tr / ' '); do up=../$up; done
cat >"$stage/olememConfig.cmake" <<CMAKE
# olemem::olemem, the shared library, and olemem::olemem_static. Link with one of them: two heaps in one program do
# not know each other's blocks.
get_filename_component(_olemem_prefix "\${CMAKE_CURRENT_LIST_DIR}/$up" ABSOLUTE)
if(NOT TARGET olemem::olemem)
  add_library(olemem::olemem SHARED IMPORTED)
  set_target_properties(olemem::olemem PROPERTIES
    IMPORTED_LOCATION "\${_olemem_prefix}/$libdir/$whole"
    IMPORTED_SONAME "$soname"
    INTERFACE_INCLUDE_DIRECTORIES "\${_olemem_prefix}/include/olemem/win32")
  add_library(olemem::olemem_static STATIC IMPORTED)
  set_target_properties(olemem::olemem_static PROPERTIES
    IMPORTED_LOCATION "\${_olemem_prefix}/$libdir/libolemem.a"
    INTERFACE_LINK_LIBRARIES "$cmake_private"
    INTERFACE_INCLUDE_DIRECTORIES "\${_olemem_prefix}/include/olemem/win32")
endif()
unset(_olemem_prefix)
CMAKE

cat >"$stage/olememConfigVersion.cmake" <<CMAKE
set(PACKAGE_VERSION "$version")
# Before 1.0 the second number is the one that says what fits.
string(REGEX MATCH "^[0-9]+\\\\.[0-9]+" _olemem_line "\${PACKAGE_VERSION}")
if(PACKAGE_FIND_VERSION VERSION_GREATER PACKAGE_VERSION)
  set(PACKAGE_VERSION_COMPATIBLE FALSE)
elseif("\${PACKAGE_FIND_VERSION_MAJOR}.\${PACKAGE_FIND_VERSION_MINOR}" STREQUAL _olemem_line
       OR PACKAGE_FIND_VERSION STREQUAL PACKAGE_FIND_VERSION_MAJOR)
  set(PACKAGE_VERSION_COMPATIBLE TRUE)
  if(PACKAGE_FIND_VERSION VERSION_EQUAL PACKAGE_VERSION)
    set(PACKAGE_VERSION_EXACT TRUE)
  endif()
else()
  set(PACKAGE_VERSION_COMPATIBLE FALSE)
endif()
unset(_olemem_line)
CMAKE

# ---------------------------------------------------------------------------------------------- install

as_writer() { ${SUDO:-} "$@"; }
root=${DESTDIR:-}$prefix
libs=$root/$libdir
include=$root/include/olemem

as_writer mkdir -p "$libs/pkgconfig" "$libs/cmake/olemem" "$include/win32" 2>/dev/null ||
    die "cannot write to $root: choose another --prefix, or say SUDO=sudo (what is built stays built)"
# `install` takes the old file away first: a program that runs on it keeps it.
as_writer install -m 755 "$built/release/$plain" "$libs/$whole"
as_writer ln -sf "$whole" "$libs/$shared"
as_writer ln -sf "$shared" "$libs/$plain"
as_writer install -m 644 "$built/release/libolemem.a" "$libs/libolemem.a"
as_writer install -m 644 "$here/src/export/include/olemem.h" "$include/olemem.h"
for header in "$here"/src/export/include/win32/*.h; do
    as_writer install -m 644 "$header" "$include/win32/$(basename "$header")"
done
as_writer install -m 644 "$stage/olemem.pc" "$libs/pkgconfig/olemem.pc"
for file in olememConfig.cmake olememConfigVersion.cmake; do
    as_writer install -m 644 "$stage/$file" "$libs/cmake/olemem/$file"
done
# The loader's list of what is in the system's own folders.
case $prefix in
/usr | /usr/local)
    if [ -z "${DESTDIR:-}" ] && command -v ldconfig >/dev/null; then as_writer ldconfig || true; fi
    ;;
esac
echo "olemem $version is in $root: $libdir/$plain, $libdir/libolemem.a, include/olemem"
