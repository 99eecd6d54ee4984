package spool

import (
	"bytes"
	"testing"
	"time"
)

func TestRecordKeysSortByNumber(t *testing.T) {
	last := []byte{}
	for _, seq := range []uint64{0, 1, 255, 256, 1 << 40, 1<<64 - 1} {
		key := recordKey(seq)
		if bytes.Compare(last, key) >= 0 || bytes.Compare(key, stateKey) >= 0 {
			t.Fatalf("%x after %x", key, last)
		}
		if got, err := parseRecordKey(key); err != nil || got != seq {
			t.Fatal(got, err)
		}
		last = key
	}
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, recordHeaderLen))
	f.Add([]byte("0123456789abcdefrecord"))
	f.Fuzz(func(t *testing.T, value []byte) {
		h, record, err := parseRecord(value)
		if err != nil {
			if len(value) >= recordHeaderLen {
				t.Fatal(err)
			}
			return
		}
		again := make([]byte, recordHeaderLen)
		h.put(again)
		if !bytes.Equal(append(again, record...), value) {
			t.Fatalf("%x became %x", value, again)
		}
	})
}

func FuzzState(f *testing.F) {
	f.Add([]byte{})
	f.Add(state{acked: 7, ackedTotal: 700, fixed: 9, salvaged: 3, mark: 5}.encode())
	f.Fuzz(func(t *testing.T, value []byte) {
		st, err := parseState(value)
		if err != nil {
			return
		}
		if again, err := parseState(st.encode()); err != nil || again != st {
			t.Fatalf("%+v became %+v, %v", st, again, err)
		}
	})
}

func FuzzRecordKey(f *testing.F) {
	f.Add(recordKey(1))
	f.Add(stateKey)
	f.Fuzz(func(t *testing.T, key []byte) {
		if seq, err := parseRecordKey(key); err == nil && !bytes.Equal(recordKey(seq), key) {
			t.Fatalf("%x became %x", key, recordKey(seq))
		}
	})
}

func TestHeaderKeepsNanoseconds(t *testing.T) {
	want := header{appended: time.Unix(1, 234_567_891), total: 42}
	value := make([]byte, recordHeaderLen)
	want.put(value)
	if got, _, err := parseRecord(value); err != nil || !got.appended.Equal(want.appended) || got.total != 42 {
		t.Fatal(got, err)
	}
}
