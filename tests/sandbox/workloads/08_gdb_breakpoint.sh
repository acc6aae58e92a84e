printf 'int inner(int x) { return x + 1; }\nint outer(int x) { return inner(x); }\nint main() { return outer(1) - 2; }\n' > main.c
gcc -g -O0 -o program main.c
gdb -q -nx -batch -ex 'break inner' -ex run -ex bt ./program > log 2>&1
grep -q '#0  inner (x=1)' log
grep -q 'in outer (x=1)' log
