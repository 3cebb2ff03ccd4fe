# What suites share. A suite's `run` sources it.

# Runs one test and prints its verdict: try NAME COMMAND…. Exit code 77 says that it cannot run here.
try() {
    local name=$1
    shift
    timeout -k 5 "${LIMIT:-60}" "$@" </dev/null >/dev/null 2>&1 9>&1
    case $? in
        0) echo "pass $name" ;;
        77) echo "skip $name" ;;
        *) echo "fail $name" ;;
    esac
}

# Lines in an order of their own that is always the same: where time runs out, some of everything has run.
mixed() { sort | shuf --random-source=<(yes); }

# The environment of a test of GNU's that runs in this folder: gnu FOLDER-OF-SOURCES.
gnu() {
    export srcdir=. abs_srcdir=$PWD abs_builddir=$PWD
    export top_srcdir=$1 abs_top_srcdir=$PWD/$1 abs_top_builddir=$PWD/$1
    export CONFIG_HEADER=/dev/null VERSION=0 PACKAGE_VERSION=0 host_os=linux-gnu host_triplet=x86_64-pc-linux-gnu
    export SHELL=/bin/bash PERL=perl AWK=awk MAKE=make CC=gcc EXEEXT='' TMPDIR=/tmp fail=0
    export LOCALE_FR=none LOCALE_FR_UTF8=none LOCALE_JA=none LOCALE_TR_UTF8=none LOCALE_ZH_CN=none
}

# The verdicts of a suite of Autoconf's, from the lines that it prints.
autotest() {
    sed -uEn 's/^ *([0-9]+): (.*[^ ]) +ok *$/pass \1 \2/p; s/^ *([0-9]+): (.*[^ ]) +FAILED.*/fail \1 \2/p;
        s/^ *([0-9]+): (.*[^ ]) +skipped.*/skip \1 \2/p'
}
