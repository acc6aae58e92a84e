# Two runs under a debugger show one address: address randomisation could be disabled.
printf 'int main() { int local = 0; return local; }\n' > main.c
gcc -g -O0 -o program main.c
for run in 1 2; do
  gdb -q -nx -batch -ex 'break main' -ex run -ex 'print &local' ./program > log$run 2>&1
  grep -o '(int \*) 0x[0-9a-f]*' log$run > address$run
done
cmp address1 address2
if grep -q 'disabling address space randomization' log1; then exit 1; fi
