# Parallel make: a jobserver on a pipe or a fifo, children under ids it sets itself.
for i in 1 2 3 4 5 6; do echo "int f$i(void) { return $i; }" > f$i.c; done
printf 'OBJS = f1.o f2.o f3.o f4.o f5.o f6.o\nlib.a: $(OBJS)\n\tar rc $@ $^\n' > Makefile
make -s -j4
test "$(ar t lib.a | wc -l)" = 6
