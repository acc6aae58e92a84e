# Named semaphores and shared memory live in /dev/shm.
cat > main.py <<'PY'
import multiprocessing as mp
from multiprocessing import shared_memory

def square(x):
    return x * x

if __name__ == "__main__":
    with mp.Pool(3) as pool:
        assert pool.map(square, range(10)) == [x * x for x in range(10)]
    gate = mp.Semaphore(1)
    assert gate.acquire(timeout=1)
    block = shared_memory.SharedMemory(create=True, size=4096)
    block.buf[0] = 7
    other = shared_memory.SharedMemory(name=block.name)
    assert other.buf[0] == 7
    other.close()
    block.close()
    block.unlink()
PY
/usr/bin/python3 main.py
