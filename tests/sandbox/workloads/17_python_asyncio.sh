/usr/bin/python3 - <<'PY'
import asyncio
async def main():
    jobs = [await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1) for _ in range(4)]
    answers = await asyncio.gather(*(job.communicate(b"x") for job in jobs))
    assert [out for out, _ in answers] == [b"x"] * 4
asyncio.run(main())
PY
