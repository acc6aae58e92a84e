printf '#include <stdlib.h>\nint main() { char* p = malloc(8); p[0] = 1; return *p - 1; }\n' > main.c
gcc -g -o program main.c
valgrind -q --leak-check=full --log-file=log ./program
grep -q 'definitely lost: 8 bytes\|8 bytes in 1 blocks are definitely lost' log
