package bothelp_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hooktape/internal/bothelp"
	"hooktape/internal/event"
)

func BenchmarkDecode(b *testing.B) {
	for _, path := range fixtures(b) {
		b.Run(strings.TrimSuffix(filepath.Base(path), ".json"), func(b *testing.B) {
			body, err := os.ReadFile(path)
			if err != nil {
				b.Fatal(err)
			}
			req := &event.Received{Body: body}
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				bothelp.Decode(req)
			}
		})
	}
}

func BenchmarkVerifySignature(b *testing.B) {
	body := fixture(b, "chat-conversation-closed.json")
	sign := bothelp.Sign(body, "token")
	b.ReportAllocs()
	for b.Loop() {
		if !bothelp.VerifySignature(sign, body, "old token", "token") {
			b.Fatal("refused")
		}
	}
}

func fixtures(tb testing.TB) []string {
	paths, err := filepath.Glob("testdata/*.json")
	if err != nil || len(paths) == 0 {
		tb.Fatal(paths, err)
	}
	return paths
}

func fixture(tb testing.TB, name string) []byte {
	body, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return body
}
