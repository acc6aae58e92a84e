# Needs fixed mappings: a kernel with more random bits than the library knows makes it execute
# itself again under personality(2). The writers sleep in turn: two writes in the very same instant
# pass the sanitizer unseen (43 of 3,000 runs on two busy cores), and a sleep orders nothing for it.
cat > race.cpp <<'CPP'
#include <chrono>
#include <thread>
int shared;
int main(int argc, char**) {
  std::thread other([&] { if (argc > 1) shared = 1; });
  if (argc > 1) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    shared = 2;
  }
  other.join();
}
CPP
g++ -g -O1 -fsanitize=thread -pthread -o race race.cpp
./race
if ./race racing 2> report; then exit 1; fi
grep -q 'data race' report
