# SPDX-License-Identifier: BSL-1.0
"""The original of 123_manager.cpp: a dictionary, a lock, an event and a queue that processes share by a Manager."""

import multiprocessing


def count(number, words, counts, lock, start, results):
    start.wait()
    for word in words:
        with lock:
            counts[word] = counts.get(word, 0) + 1
    results.put((number, len(words)))


def main():
    texts = ["to be or not to be", "that is the question", "whether tis nobler in the mind to suffer"]
    with multiprocessing.Manager() as manager:
        counts = manager.dict()
        lock = manager.Lock()
        start = manager.Event()
        results = manager.Queue()
        processes = [multiprocessing.Process(target=count, args=(number, text.split(), counts, lock, start, results))
                     for number, text in enumerate(texts)]
        for process in processes:
            process.start()
        start.set()
        for process in processes:
            process.join()
        for number, words in sorted(results.get() for _ in processes):
            print(f"process {number} has counted {words} words")
        for word, times in sorted(counts.items()):
            if times > 1:
                print(f"{word}: {times}")


if __name__ == "__main__":
    main()
