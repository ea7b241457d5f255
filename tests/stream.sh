#!/bin/bash
# stream.sh BINDIR HELPERDIR - the format: the corpus, every prefix, every flipped byte
helper=$(realpath "$2") here=$(realpath "$(dirname "$0")")
. "$here/tap.sh" stream "$1"
"$bin/ovx-simulate" -q --cells 20 --genes 60 --types 3 -o s.ovx
"$bin/ovx-normalize" -q s.ovx -o tiny.ovx

# The committed corpus is what earlier versions wrote: it stays readable.
mkdir new
"$helper/corpus" tiny.ovx new || is "corpus is written" 0 $?
for dir in "$here/stream" new; do
	[ -d "$dir" ] || continue
	for f in "$dir"/*.ovx; do
		name=$(basename "$dir")/$(basename "$f" .ovx)
		for way in file pipe; do
			if [ $way = file ]; then "$bin/ovx-check" "$f" > out 2> err; else cat "$f" | "$bin/ovx-check" > out 2> err; fi
			st=$?
			case $name in
			*/good-*) is "$name ($way): read" 0 $st ;;
			*/bad-cut-* | */bad-empty) is "$name ($way): cut" 3 $st ;;
			*/bad-section-axis) is "$name ($way): a delta of another base" 0 $st ;;
			*/bad-*) is "$name ($way): refused" 1 $([ $st = 3 ] && echo 1 || echo $st) ;;
			*/unsupported-*) is "$name ($way): newer" "1 1" "$st $(grep -c 'newer' err)" ;;
			esac
		done
		# nobody crashes on it, or heals it
		for t in "ovx-join" "ovx-normalize" "ovx-dump -p X"; do
			"$bin/"$t -q "$f" > out 2> err
			st=$?
			[ $st -gt 3 ] && is "$name: $t does not crash" 0 $st
			case $name in */bad-*) [ $st = 0 ] && [ "$t" != "ovx-dump -p X" ] && { "$bin/ovx-check" out > /dev/null 2>&1; is "$name: $t does not heal it" "1" "$([ $? = 0 ] && case $name in *bad-section-axis | *bad-index* | *bad-end-count | *bad-section-seq | *bad-section-chain | *bad-padding) echo 1;; *) echo healed;; esac || echo 1)"; } ;; esac
		done
	done
done

sweep() { # sweep WHAT ARGS...
	local what=$1
	shift
	local st
	out=$("$helper/sweep" "$@")
	st=$?
	is "$what: $(tail -n 1 <<< "$out")" 0 $st
	[ "$(wc -l <<< "$out")" = 1 ] || head -n 5 <<< "$out" | sed 's/^/# /'
}
step=$([ "$FULL" ] && echo 1 || echo 3)
sweep "every prefix is exit 3 (ovx-check)" prefix tiny.ovx "$bin/ovx-check"
[ "$FULL" ] && sweep "every prefix is exit 3 (ovx-normalize)" prefix tiny.ovx "$bin/ovx-normalize" -q
sweep "every flipped byte is refused by ovx-check" flip 1 tiny.ovx "$bin/ovx-check"
sweep "flipped bytes are refused by who uses them, or by ovx-check behind, or change nothing" heal "$step" "$bin/ovx-check" tiny.ovx "$bin/ovx-normalize" -q
finish
