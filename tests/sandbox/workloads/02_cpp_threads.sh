# C++20 threads: clone, futexes, stop tokens.
cat > main.cpp <<'CPP'
#include <atomic>
#include <cstdio>
#include <semaphore>
#include <thread>
#include <vector>
int main() {
  std::atomic<int> sum = 0;
  std::counting_semaphore<8> ready(0);
  {
    std::vector<std::jthread> threads;
    for (int i = 1; i <= 8; ++i) threads.emplace_back([&, i] { ready.acquire(); sum += i; });
    ready.release(8);
  }
  std::printf("%d\n", sum.load());
}
CPP
g++ -std=c++20 -pthread -o program main.cpp
test "$(./program)" = 36
