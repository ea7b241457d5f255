#!/bin/bash
# contract.sh BINDIR HELPERDIR [TOOL...] - what every tool owes, whatever it computes
#
# Runs over every executable in BINDIR; a new tool is enrolled by existing.  Which
# fixture it takes, with which arguments, and whether it is a filter, a source or a
# sink, it says itself (--dump contract).  Checks that do not apply are listed.
bin=$(realpath "$1") helper=$(realpath "$2")
shift 2
here=$(realpath "$(dirname "$0")")
work=$(mktemp -d "${TMPDIR:-/var/tmp}/contract.XXXXXX")
trap 'rm -rf "$work"' EXIT
n=0 failed=0
is() { # is WHAT WANT GOT
	n=$((n + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $n - $1"
	else
		failed=$((failed + 1))
		echo "not ok $n - $1"
		echo "# want '$2', got '$3'"
		[ ! -s err ] || sed 's/^/# /' err | head -n 3
	fi
}
skip() { n=$((n + 1)); echo "ok $n - $1 # SKIP $2"; }
size() { stat -c %s "$1" 2> /dev/null || echo none; }
left() { find . -maxdepth 1 -name "$1*" | wc -l; }

# What holds for VCF and BCF: kinds of input, ends, order of names.  Uses b, t, args, run, in.
variants() {
	local f k s
	for f in calls.vcf.gz calls.bcf; do
		run -q $f > a.$f 2> err;                    is "$b: $f" 0 $?
		run -q < $f > out 2> err;                   is "$b: $f from standard input" "0 $(cksum < a.$f)" "$? $(cksum < out)"
		s=$(size $f)
		for k in $((s / 3)) $((s - 28)) $((s - 1)); do
			head -c $k $f | run -q > out 2> err;    is "$b: $f cut at $k" 3 $?
			tail -c 1 out | od -c | grep -q '\\n' && [ -s out ]; is "$b: what it wrote has no end" 1 $?
		done
		cp $f flip; printf 'x' | dd of=flip bs=1 seek=$((s / 2)) conv=notrunc 2> /dev/null
		run -q flip > out 2> err;                   is "$b: $f with a changed byte" 1 $?
		for k in z b u z1; do
			run -q -O $k -@ 1 $f > out 2> err;      is "$b: $f to $k" 0 $?
			run -q -O $k -@ 3 $f > out2 2> err;     is "$b: $f to $k, same bytes with 3 threads" "$(cksum < out)" "$(cksum < out2)"
			run -q -O $k -M 64M < $f > out2 2> err; is "$b: $f to $k, same bytes from standard input under -M 64M" "$(cksum < out)" "$(cksum < out2)"
			head -c $(($(size out) - 28)) out | "$t" $args -q > /dev/null 2> err; is "$b: its output $k without the end mark" 3 $?
			run -q -O $k $f > /dev/full 2> err;     is "$b: $k on a full disk" 1 $?
		done
	done
	head -c $(($(size "$in") * 2 / 3)) "$in" | run -q 2> /dev/null | run -q > out 2> err
	is "$b: a cut is not healed downstream" "3 3" "${PIPESTATUS[1]} ${PIPESTATUS[2]}"
	grep '^#' "$in" > head.vcf; run -q head.vcf > out 2> err; is "$b: header only" "0 0" "$? $(grep -vc '^#' out)"
	for k in TERM KILL; do
		rm -f fifo; mkfifo fifo
		"$t" $args -q -o killed fifo > out 2> err & p=$!
		exec 9> fifo; cat cut.ovx >&9; sleep 0.2
		kill -$k $p; exec 9>&-; wait $p 2> /dev/null; s=$?
		is "$b: killed by $k, nothing left" "$((128 + $(kill -l $k))) 0" "$s $(left killed)"
	done 2> /dev/null
	cp "$in" same.vcf; run -q -o same.vcf same.vcf 2> err
	is "$b: output may be the input" "0 $(cksum < a)" "$? $(cksum < same.vcf)"
	run -q a > out 2> err;                          is "$b: a second time nothing changes" "0 $(cksum < a)" "$? $(cksum < out)"
}

# What each command of a tool owes; one with a fixture makes a file of it, named by -o.  Uses b, t.
commands() {
	local c d file k s n_bytes peak
	for c in $("$t" --dump commands); do
		d="$b $c"
		"$t" "$c" --help > out 2> err;              is "$d: --help" "0 0" "$? $(size err)"
		"$t" "$c" --nonsense < /dev/null > out 2> err; is "$d: unknown option" "2 0" "$? $(size out)"
		"$t" "$c" -@ 0 < /dev/null > out 2> err;    is "$d: a number out of range" 2 $?
		"$t" "$c" missing.file -o named > out 2> err; s=$?; is "$d: no such input" "yes 0" "$([ $s = 1 ] || [ $s = 2 ] && echo yes) $(left named)"
		file=$("$t" "$c" --dump contract | awk -F '\t' '$1 == "fixture" { print $2 }')
		[ "$file" ] || { skip "$d: its output" "writes no file, or has no fixture"; continue; }
		"$t" "$c" "$file" -o made > out 2> err;      is "$d: from a file" "0 0" "$? $(size out)"
		for k in 1 4; do
			"$t" "$c" -q -@ $k "$file" -o named 2> err; is "$d: same bytes with $k threads" "0 $(cksum < made)" "$? $(cksum < named)"
		done
		rm -f named; "$t" "$c" -q - -o named < "$file" 2> err; is "$d: from standard input" 0 $?
		cat "$file" | "$t" "$c" -q - -o named2 2> err; is "$d: from a pipe" 0 $?
		"$t" "$c" --estimate -@ 2 "$file" -o named > est 2> err; is "$d: --estimate" "0 3" "$? $(wc -l < est)"
		peak=$(awk '$1 == "peak_memory" { print $2 }' est)
		"$helper/peak" kb "$t" "$c" -q -@ 2 -M "$peak" "$file" -o named 2> err
		is "$d: same bytes under -M of the estimate" "0 $(cksum < made)" "$? $(cksum < named)"
		is "$d: and the kernel saw no more" yes "$([ "$(cat kb)" -le "$peak" ] && echo yes || echo "$(cat kb) of $peak")"
		rm -f named named2
		"$t" "$c" -q -M 1M "$file" -o named 2> err; is "$d: a cap that cannot be met" "137 0" "$? $(left named)"
		"$t" "$c" -q "$file" -o nowhere/named 2> err; is "$d: no such output folder" "1 0" "$? $(left nowhere)"
		"$t" "$c" -q "$file" -o named --json stats.json 2> err; is "$d: --json" "0 1" "$? $(grep -c '"tool"' stats.json)"
		rm -f named; n_bytes=$(size "$file")
		head -c $((n_bytes * 2 / 3)) "$file" > cut.file
		"$t" "$c" -q cut.file -o named 2> err;      is "$d: cut file, nothing left" "3 0" "$? $(left named)"
		: | "$t" "$c" -q - -o named 2> err;         is "$d: empty input" "3 0" "$? $(left named)"
		head -c 4096 /dev/urandom | "$t" "$c" -q - -o named 2> err; is "$d: noise" "1 0" "$? $(left named)"
		for k in TERM KILL; do
			rm -f fifo; mkfifo fifo
			"$t" "$c" -q -o killed fifo > out 2> err & p=$!
			exec 9> fifo; cat cut.file >&9; sleep 0.2
			kill -$k $p; exec 9>&-; wait $p 2> /dev/null; s=$?
			is "$d: killed by $k, nothing left" "$((128 + $(kill -l $k))) 0" "$s $(left killed)"
		done 2> /dev/null
	done
}

"$here/fixtures.sh" "$bin" "$helper" "$work/f" 300 800 || { echo "not ok 1 - fixtures"; echo 1..1; exit 1; }
cd "$work/f" || exit 1
export TMPDIR=$work

script -qec true /dev/null < /dev/null > /dev/null 2>&1; terminal=$?
[ $# -gt 0 ] || set -- $(cd "$bin" && ls)
for b in "$@"; do
	t=$bin/$b
	info=$("$t" --dump contract)
	field() { printf '%s\n' "$info" | awk -F '\t' -v k="$1" '$1 == k { print $2 }'; }
	shape=$(field shape) fixture=$(field fixture) args=$(field args) flags=$(field flags)
	no_new=$((flags & 2)) binary=$((shape == 0)) 2> /dev/null
	# The input as arguments, and as a stream.
	case $shape in
	filter | sink) in=$fixture.ovx; file=$in ;;
	source) in=; file=$fixture; [ "$fixture" ] || file= ;;
	variants) in=$fixture; file=$fixture ;;         # none: a source
	esac
	run() { "$t" $args "$@"; }                      # args are words
	# ovx-check names its input; the rest of the line must agree
	plain() { if [ "$b" = ovx-check ]; then cut -f 2-; else cat; fi; }

	"$t" --help > out 2> err;                       is "$b: --help" "0 0" "$? $(size err)"
	"$t" --help > /dev/full 2> err;                 is "$b: --help on a full disk" 1 $?
	"$t" -V > out 2> err;                           is "$b: -V" "0 $b" "$? $(cut -d ' ' -f 1 out)"
	"$t" --nonsense < /dev/null > out 2> err;       is "$b: unknown option" "2 0" "$? $(size out)"
	"$t" -@ 1x < /dev/null > out 2> err;            is "$b: a number with a letter" "2 0" "$? $(size out)"
	"$t" -@ 0 < /dev/null > out 2> err;             is "$b: a number out of range" 2 $?
	"$t" -M 5Q < /dev/null > out 2> err;            is "$b: a size with a typo" 2 $?
	"$t" -o < /dev/null > out 2> err;               is "$b: an option without its value" 2 $?

	run $file > a 2> err;                           is "$b: from a file" 0 $?
	run -q $file > out 2> err;                      is "$b: the same again" "$(plain < a | cksum)" "$(plain < out | cksum)"
	run -q $file > /dev/full 2> err;                is "$b: full disk" 1 $?
	run -q -o named $file 2> err;                   is "$b: -o" "0 $(cksum < a)" "$? $(cksum < named 2> /dev/null)"
	run -q -o nowhere/named $file 2> err;           is "$b: no such output folder" "1 0" "$? $(left nowhere)"
	rm -f named
	run -q -@ 1 $file > out 2> err;                 is "$b: same bytes with 1 thread" "0 $(cksum < a)" "$? $(cksum < out)"
	run -q -@ 4 $file > out 2> err;                 is "$b: same bytes with 4 threads" "0 $(cksum < a)" "$? $(cksum < out)"
	run --estimate -@ 2 $file > est 2> err;         is "$b: --estimate" "0 3" "$? $(wc -l < est)"
	peak=$(awk '$1 == "peak_memory" { print $2 }' est)
	"$helper/peak" kb "$t" $args -q -@ 2 -M "$peak" $file > out 2> err
	is "$b: same bytes under -M of the estimate" "0 $(cksum < a)" "$? $(cksum < out)"
	is "$b: and the kernel saw no more" yes "$([ "$(cat kb)" -le "$peak" ] && echo yes || echo "$(cat kb) of $peak")"
	run -q -M 4G $file > out 2> err;                is "$b: same bytes with a large -M" "0 $(cksum < a)" "$? $(cksum < out)"
	run -q -M 1M $file > out 2> err;                is "$b: a cap that cannot be met" "137 0" "$? $(size out)"
	run -q --json stats.json $file > out 2> err
	is "$b: --json" "0 $b" "$? $(grep -o '"tool":"[^"]*"' stats.json | cut -d '"' -f 4)"
	run -q --progress always $file > out 2> err;    is "$b: --progress" "0 $(cksum < a)" "$? $(cksum < out)"
	if [ "$shape" = variants ] && [ "$in" ] && [ $terminal = 0 ]; then
		script -qec "$t $args $file -O z" /dev/null < /dev/null > out 2>&1
		is "$b: refuses to write compressed to a terminal" 2 $?
	elif [ "$shape" != sink ] && [ "$shape" != variants ] && [ $terminal = 0 ]; then
		script -qec "$t $args $file" /dev/null < /dev/null > out 2>&1
		is "$b: refuses to write to a terminal" 2 $?
	else
		skip "$b: refuses to write to a terminal" "text, or no pseudo-terminals here"
	fi
	run -q $file 2> err | head -c 100 > /dev/null
	st=${PIPESTATUS[0]}
	if [ "$(size a)" -gt 200000 ]; then is "$b: reader gone" 141 "$st"; else skip "$b: reader gone" "its output fits into a pipe"; fi
	[ -e "$here/../man/$b.1" ];                     is "$b: has a man page" 0 $?
	commands

	if [ "$shape" = source ] || [ -z "$in" ]; then
		skip "$b: pipes, cuts and noise" "reads no stream"
		continue
	fi

	run -q < "$in" > b 2> err;                      is "$b: from standard input" 0 $?
	cat "$in" | run -q > c 2> err;                  is "$b: from a pipe" 0 $?
	is "$b: the same bytes either way" "$(plain < a | cksum) $(plain < a | cksum)" "$(plain < b | cksum) $(plain < c | cksum)"
	s=$(size "$in")
	head -c $((s * 2 / 3)) "$in" > cut.ovx
	run -q cut.ovx > out 2> err;                    is "$b: cut file" 3 $?
	run -q < cut.ovx > out 2> err;                  is "$b: cut standard input" 3 $?
	cat cut.ovx | run -q > out 2> err;              is "$b: cut pipe" 3 $?
	if [ "$shape" = filter ]; then
		cat cut.ovx | run -q 2> /dev/null | "$bin/ovx-join" > out 2> err
		is "$b: a cut is not healed downstream" "3 3" "${PIPESTATUS[1]} ${PIPESTATUS[2]}"
	fi
	cat cut.ovx | run -q -o named > out 2> err;     is "$b: nothing left after a failure" "3 0" "$? $(left named)"
	: | run > out 2> err;                           is "$b: empty input" 3 $?
	head -c 4096 /dev/urandom | run > out 2> err;   is "$b: noise" 1 $?
	echo hello | run > out 2> err;                  is "$b: text" 1 $?
	grep -qE 'not an ovx stream|neither VCF nor BCF' err; is "$b: and says what it is" 0 $?
	run missing.ovx > out 2> err;                   is "$b: no such input" 1 $?
	if [ "$shape" = variants ]; then variants; continue; fi
	cp "$in" flip.ovx; printf 'x' | dd of=flip.ovx bs=1 seek=$((s - 300)) conv=notrunc 2> /dev/null
	run -q flip.ovx > out 2> err;                   is "$b: damaged end" 1 $?

	for sig in TERM KILL; do
		rm -f fifo; mkfifo fifo
		"$t" $args -q -o killed fifo > out 2> err & p=$!
		exec 9> fifo; cat cut.ovx >&9; sleep 0.2
		kill -$sig $p; exec 9>&-; wait $p 2> /dev/null; st=$?
		is "$b: killed by $sig, nothing left" "$((128 + $(kill -l $sig))) 0" "$st $(left killed)"
	done 2> /dev/null
	rm -f fifo; mkfifo fifo
	"$t" $args -q fifo > out 2> usr & p=$!
	exec 9> fifo; head -c 2000 "$in" >&9; sleep 0.2; kill -USR1 $p; sleep 0.1; tail -c +2001 "$in" >&9; exec 9>&-; wait $p
	is "$b: SIGUSR1 shows where it is" "0 1" "$? $(grep -c "^$b: " usr)"

	if [ "$shape" = filter ]; then
		cp "$in" same.ovx; run -q -o same.ovx same.ovx 2> err
		is "$b: output may be the input" "0 $(cksum < a)" "$? $(cksum < same.ovx)"
		"$bin/ovx-dump" -p uns/note a > out 2> err; is "$b: passes what it does not know" "0 future data" "$? $(cat out)"
		"$bin/ovx-check" a > out 2> err;            is "$b: ovx-check finds nothing" 0 $?
		if [ $no_new = 0 ]; then
			run -q -n "$in" > delta 2> err;             is "$b: -n" 0 $?
			"$bin/ovx-join" -q "$in" delta > out 2> err; is "$b: -n and ovx-join give the whole" "0 $(cksum < a)" "$? $(cksum < out)"
			run -q -n - < "$in" > out 2> err;           is "$b: -n writes all that came through standard input" "0 $(cksum < a)" "$? $(cksum < out)"
		else
			skip "$b: -n" "has none"
		fi
	else
		skip "$b: streams out" "writes text"
	fi
done
echo "1..$n"
[ $failed = 0 ]
