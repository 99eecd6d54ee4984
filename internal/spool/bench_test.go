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

	"github.com/cockroachdb/pebble/v2/vfs"
)

// body returns a body like a webhook of 700 bytes: it compresses to about a half.
func body(seed uint64) []byte {
	rng := rand.New(rand.NewPCG(seed, 1))
	var b strings.Builder
	for b.Len() < 700 {
		fmt.Fprintf(&b, `{"id":"%016x","name":"subscriber","at":%d},`, rng.Uint64(), rng.Uint32())
	}
	return []byte(b.String()[:700])
}

// BenchmarkFsync measures the disk: one small write and one fsync.
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
			o := options(vfs.Default)
			var commits atomic.Int64
			o.OnCommit = func(Commit) { commits.Add(1) }
			s := open(b, b.TempDir(), o)
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

// BenchmarkBacklog fills a spool with two million records, reopens it, drains it, and waits until its disk space is
// free again.
func BenchmarkBacklog(b *testing.B) {
	const records = 2_000_000
	for b.Loop() {
		dir := b.TempDir()
		s := open(b, dir, options(vfs.Default))
		var left atomic.Int64
		left.Store(records)
		var group sync.WaitGroup
		for i := range 1024 {
			group.Go(func() {
				record := body(uint64(i))
				for left.Add(-1) >= 0 {
					if err := s.Append(context.Background(), record); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		group.Wait()
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(diskUse(dir)), "MiB-full")

		start := time.Now()
		s = open(b, dir, s.opts)
		b.ReportMetric(float64(time.Since(start).Milliseconds()), "ms-open")

		start = time.Now()
		for s.Stat().Records > 0 {
			ack(b, s, next(b, s, DefaultLimits()))
		}
		b.ReportMetric(records/time.Since(start).Seconds(), "drained/s")

		start = time.Now()
		eventually(b, "disk space", func() bool { return diskUse(dir) < 128 }) // logs kept for reuse
		b.ReportMetric(time.Since(start).Seconds(), "s-to-shrink")
	}
}

func diskUse(dir string) (mebibytes int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil {
			if info, err := d.Info(); err == nil {
				mebibytes += info.Size()
			}
		}
		return nil
	})
	return mebibytes >> 20
}
