package bothelp_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"hooktape/bothelp"
	"hooktape/event"
)

// compressors are the codings by the name that each test gives them.
var compressors = map[string]struct {
	coding string
	writer func(io.Writer) io.WriteCloser
}{
	"gzip":   {"gzip", func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }},
	"x-gzip": {"X-GZip", func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }},
	"zlib":   {"deflate", func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }},
	"flate": {"deflate", func(w io.Writer) io.WriteCloser {
		z, _ := flate.NewWriter(w, flate.BestCompression)
		return z
	}},
	"brotli": {"br", func(w io.Writer) io.WriteCloser { return brotli.NewWriter(w) }},
	"zstd": {"zstd", func(w io.Writer) io.WriteCloser {
		z, _ := zstd.NewWriter(w)
		return z
	}},
}

func compress(t testing.TB, name string, text []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := compressors[name].writer(&out)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func encoded(coding string, body []byte) *event.Received {
	return &event.Received{Headers: []event.Header{{Name: "content-encoding", Value: coding}}, Body: body}
}

func TestContentEncoding(t *testing.T) {
	body := fixture(t, "flow.json")
	want := bothelp.Decode(&event.Received{Body: body})
	for name, c := range compressors {
		t.Run(name, func(t *testing.T) {
			if got := bothelp.Decode(encoded(c.coding, compress(t, name, body))); !reflect.DeepEqual(got, want) {
				t.Errorf("got %s", dump(got))
			}

			plain := bothelp.Decode(encoded(c.coding, body))
			if want := "body: not " + strings.ToLower(c.coding) + ", as its Content-Encoding says"; plain.DecodeError != want {
				t.Errorf("plain body: %q", plain.DecodeError)
			}
			if plain.BothelpUserID != "47659" {
				t.Errorf("plain body: not read: %s", dump(plain))
			}

			// Zeros shrink a thousand times; the name before them is read.
			bomb := []byte(`{"name":"a","x":"` + strings.Repeat("0", 2<<20) + `"}`)
			got := bothelp.Decode(encoded(c.coding, compress(t, name, bomb)))
			if !strings.HasPrefix(got.DecodeError, "body: longer than ") || got.Name != "a" {
				t.Errorf("bomb: %q, name %q", got.DecodeError, got.Name)
			}
		})
	}
}

func TestContentEncodingDamaged(t *testing.T) {
	body := fixture(t, "flow.json")
	whole := bothelp.Decode(&event.Received{Body: body})
	zipped := compress(t, "gzip", body)

	got := bothelp.Decode(encoded("gzip", zipped[:len(zipped)-100]))
	if got.Name != whole.Name || !strings.HasPrefix(got.DecodeError, "body: its gzip is damaged after ") {
		t.Errorf("cut: name %q, error %q", got.Name, got.DecodeError)
	}
	got = bothelp.Decode(encoded("identity", body))
	if !reflect.DeepEqual(got, whole) {
		t.Errorf("identity: %s", dump(got))
	}
	for _, coding := range []string{"lzma", "gzip, br", "ро\xfft\n"} {
		got := bothelp.Decode(encoded(coding, body))
		if got.Name != whole.Name || !strings.HasPrefix(got.DecodeError, "body: unknown Content-Encoding ") {
			t.Errorf("%q: %q", coding, got.DecodeError)
		}
	}
	twice := encoded("gzip", zipped)
	twice.Headers = append(twice.Headers, event.Header{Name: "Content-Encoding", Value: "br"})
	if got := bothelp.Decode(twice); got.DecodeError != "body: unknown Content-Encoding gzip, br" {
		t.Errorf("two headers: %q", got.DecodeError)
	}
	if got := bothelp.Decode(encoded("gzip", nil)); got.DecodeError != "body: empty" {
		t.Errorf("nothing: %q", got.DecodeError)
	}
}
