package event

import (
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"
)

func sample() Received {
	return Received{
		ID:         uuid.MustParse("01928f3e-0000-7000-8000-0123456789ab"),
		ReceivedAt: time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC),
		Source:     "demo",
		Step:       "оплата",
		Verdict:    Accepted,
		Method:     "POST",
		Path:       "/hooks/demo/***/оплата",
		Query:      "a=\xff",
		RemoteIP:   netip.MustParseAddr("2001:db8::1"),
		Headers:    []Header{{Name: "X-A", Value: "1"}, {Name: "X-A", Value: "\xfe"}},
		Body:       []byte("\xef\xbb\xbf{}\x00"),
		BodySHA256: [32]byte{1, 2, 3},
		TraceID:    [16]byte{4},
		SpanID:     [8]byte{5},
		Untraced:   true,
	}
}

func TestReceivedSurvivesTheSpool(t *testing.T) {
	want := sample()
	data, err := want.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	var got Received
	if err := got.Unmarshal(data); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
}

// FuzzUnmarshal verifies that decoding any bytes returns a value or an error, and that a value can be encoded again.
func FuzzUnmarshal(f *testing.F) {
	r := sample()
	data, _ := r.Marshal()
	f.Add(data)
	f.Add([]byte{})
	f.Add([]byte{0xa1, 0x0b, 0x40})
	f.Fuzz(func(t *testing.T, data []byte) {
		var got Received
		if got.Unmarshal(data) != nil {
			return
		}
		if _, err := got.Marshal(); err != nil {
			t.Errorf("a decoded value cannot be encoded: %v", err)
		}
	})
}

func BenchmarkMarshal(b *testing.B) {
	r := sample()
	r.Body = make([]byte, 550)
	for b.Loop() {
		_, _ = r.Marshal()
	}
}

func BenchmarkUnmarshal(b *testing.B) {
	r := sample()
	r.Body = make([]byte, 550)
	data, _ := r.Marshal()
	for b.Loop() {
		var got Received
		_ = got.Unmarshal(data)
	}
}
