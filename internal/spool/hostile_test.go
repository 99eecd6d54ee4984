package spool

import (
	"bytes"
	"encoding/binary"
	"path"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"hooktape/internal/testutil"
)

// hostileBody imitates a commit of each of the first logs that acks a billion records and adds one.
func hostileBody() []byte {
	forged := new(pebble.Batch)
	_ = forged.Set(stateKey, state{acked: 1e9, fixed: 1e9}.encode(), nil)
	_ = forged.Set(recordKey(1e9+1), append(make([]byte, recordHeaderLen), "forged"...), nil)
	commit := forged.Repr()
	body := bytes.Repeat([]byte("hostile "), 1000)
	for log := range uint32(60) {
		chunk := binary.LittleEndian.AppendUint16(make([]byte, 4), uint16(len(commit)))
		chunk = binary.LittleEndian.AppendUint32(append(chunk, firstTypeWithOffset), log)
		chunk = append(append(chunk, make([]byte, 8)...), commit...)
		binary.LittleEndian.PutUint32(chunk, chunkSum(chunk[6:]))
		body = append(body, chunk...)
	}
	return append(body, make([]byte, 2*logBlock)...)
}

// TestBodyImitatesCommit damages a commit whose body looks like commits, and tears one, as a power cut does.
func TestBodyImitatesCommit(t *testing.T) {
	s := open(t, t.TempDir(), options(vfs.Default))
	before, behind := numbered(1, 20), numbered(22, 30)
	hostile := string(hostileBody())
	appendAll(t, s, append(slices.Clone(before), hostile)...)
	torn := testutil.KilledFiles(t, s.dir)
	appendAll(t, s, behind...)
	damaged := testutil.KilledFiles(t, s.dir)

	logs := slices.DeleteFunc(torn.Names(), func(name string) bool { return path.Ext(name) != ".log" })
	log := logs[len(logs)-1]
	at := 8 * bytes.Index(torn[log], []byte("hostile "))
	first := 8 * bytes.Index(torn[log], []byte(before[0]))
	all := slices.Concat(before, []string{hostile}, behind)
	for name, c := range map[string]struct {
		image testutil.Files
		want  []string
		lost  int
	}{
		"torn":                 {torn.Flip(log, at), before, 0},
		"damaged":              {damaged.Flip(log, at), slices.Concat(before, behind), 1},
		"the first is damaged": {damaged.Flip(log, first), all[1:], 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, "/spool", options(mounted(t, c.image)))
			if d := s.Stat().Damaged; len(d) != c.lost || c.lost > 0 && int(d[0].Lost) != c.lost {
				t.Fatalf("damage %+v, want %d records lost", d, c.lost)
			}
			if got := drain(t, s); !slices.Equal(got, c.want) {
				t.Fatalf("got %d records, want %d: the last is %.20q", len(got), len(c.want), got[len(got)-1])
			}
		})
	}
}
