# Needs fixed mappings: a kernel with more random bits than the library knows makes it execute
# itself again under personality(2).
cat > race.cpp <<'CPP'
#include <thread>
int shared;
int main(int argc, char**) {
  std::thread other([&] { if (argc > 1) shared = 1; });
  if (argc > 1) shared = 2;
  other.join();
}
CPP
g++ -g -O1 -fsanitize=thread -pthread -o race race.cpp
./race
if ./race racing 2> report; then exit 1; fi
grep -q 'data race' report
