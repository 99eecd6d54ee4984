package spool

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// body resembles a webhook of 700 bytes: it compresses to about a half.
func body(seed uint64) []byte {
	rng := rand.New(rand.NewPCG(seed, 1))
	var b strings.Builder
	for b.Len() < 700 {
		fmt.Fprintf(&b, `{"id":"%016x","name":"subscriber","at":%d},`, rng.Uint64(), rng.Uint32())
	}
	return []byte(b.String()[:700])
}

// BenchmarkFsync is what the disk can do: one small write and one fsync.
func BenchmarkFsync(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "file"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	record := body(1)
	for b.Loop() {
		if _, err := f.Write(record); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1, 64, 256} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			o := DefaultOptions()
			var commits atomic.Int64
			o.OnCommit = func(Commit) { commits.Add(1) }
			s, err := Open(b.TempDir(), o)
			if err != nil {
				b.Fatal(err)
			}
			record := body(1)
			b.SetBytes(int64(len(record)))
			b.ResetTimer()
			var left atomic.Int64
			left.Store(int64(b.N))
			var wg sync.WaitGroup
			for range n {
				wg.Go(func() {
					for left.Add(-1) >= 0 {
						if err := s.Append(context.Background(), record); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "acks/s")
			b.ReportMetric(float64(b.N)/float64(max(1, commits.Load())), "records/fsync")
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkBacklog fills a spool with two million records, opens it again,
// drains it, and waits for its disk space.
func BenchmarkBacklog(b *testing.B) {
	const records = 2_000_000
	for b.Loop() {
		dir := b.TempDir()
		s, err := Open(dir, DefaultOptions())
		if err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		var wg sync.WaitGroup
		var left atomic.Int64
		left.Store(records)
		for i := range 1024 {
			wg.Go(func() {
				record := body(uint64(i))
				for left.Add(-1) >= 0 {
					if err := s.Append(context.Background(), record); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		b.Logf("filled in %v, rss %d MiB (peak %d), disk %d MiB\n%s", time.Since(start).Round(time.Millisecond), rss("VmRSS"), rss("VmHWM"), diskUse(dir), s.db.Metrics())
		start = time.Now()
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
		closed := time.Since(start)
		start = time.Now()
		if s, err = Open(dir, DefaultOptions()); err != nil {
			b.Fatal(err)
		}
		b.Logf("closed in %v, opened in %v", closed, time.Since(start))
		start = time.Now()
		drained := 0
		for drained < records {
			batch, err := s.Next(context.Background(), DefaultLimits())
			if err != nil {
				b.Fatal(err)
			}
			drained += len(batch.Records)
			if err := s.Ack(batch); err != nil {
				b.Fatal(err)
			}
			if drained%500_000 == 0 {
				b.Logf("%d drained, disk %d MiB, rss %d MiB (peak %d)", drained, diskUse(dir), rss("VmRSS"), rss("VmHWM"))
			}
		}
		took := time.Since(start)
		b.ReportMetric(records/took.Seconds(), "drained/s")
		b.Logf("drained in %v\n%s", took, s.db.Metrics())
		for i := 0; i < 30; i++ {
			b.Logf("after %v: disk %d MiB", time.Since(start)-took, diskUse(dir))
			if diskUse(dir) < 100 {
				break
			}
			time.Sleep(time.Second)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func diskUse(dir string) int64 {
	var size int64
	filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil {
			if info, err := d.Info(); err == nil {
				size += info.Size()
			}
		}
		return nil
	})
	return size >> 20
}

func rss(field string) int {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			var kib int
			fmt.Sscan(rest, &kib)
			return kib >> 10
		}
	}
	return 0
}
