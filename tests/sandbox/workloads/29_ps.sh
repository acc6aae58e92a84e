ps aux > log
grep -q 'ps aux' log
