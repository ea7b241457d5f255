# tap.sh - for tests in shell: `. tap.sh NAME BINDIR` makes a folder of its own and goes there, the tools on PATH
bin=$(realpath "$2")
work=$(mktemp -d "${TMPDIR:-/var/tmp}/$1.XXXXXX")
trap 'rm -rf "$work"' EXIT
PATH=$bin:$PATH
n=0 failed=0
is() { # is WHAT WANTED GOT
	n=$((n + 1))
	if [ "$2" = "$3" ]; then echo "ok $n - $1"; else failed=$((failed + 1)); echo "not ok $n - $1"; printf "# want '%s'\n# got '%s'\n" "$2" "$3"; fi
}
has() { # has WHAT STATUS PATTERN COMMAND...: exit status, and a word in the message
	local what=$1 st=$2 pat=$3
	shift 3
	"$@" > out 2> err < /dev/null
	is "$what" "$st yes" "$? $(grep -q -- "$pat" err && echo yes || cat err)"
}
finish() { # the plan, and whether all went well
	echo "1..$n"
	[ $failed = 0 ]
}
cd "$work" || exit 1
