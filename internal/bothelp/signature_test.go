package bothelp_test

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"hooktape/internal/bothelp"
)

func TestSign(t *testing.T) {
	// RFC 4231, test case 2.
	const want = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
	if got := bothelp.Sign([]byte("what do ya want for nothing?"), "Jefe"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestVerifySignature(t *testing.T) {
	body := fixture(t, "chat-conversation-closed.json")
	lower := bothelp.Sign(body, "token")
	upper, b64 := strings.ToUpper(lower), base64Of(lower)

	for _, right := range []string{lower, upper, b64, "sha256=" + lower, "sha256=" + upper, "sha256=" + b64} {
		if !bothelp.VerifySignature(right, body, "token") {
			t.Errorf("refused: %s", right)
		}
		if !bothelp.VerifySignature(right, body, "new token", "token") ||
			!bothelp.VerifySignature(right, body, "token", "old token") {
			t.Errorf("refused beside another token: %s", right)
		}
		if bothelp.VerifySignature(right, body, "another token") {
			t.Errorf("accepted under another token: %s", right)
		}
		if bothelp.VerifySignature(right, append(body[:len(body):len(body)], '\n'), "token") {
			t.Errorf("accepted for another body: %s", right)
		}
		if bothelp.VerifySignature(right, body) {
			t.Errorf("accepted without a token: %s", right)
		}
	}
	for _, wrong := range []string{
		"", "sha256=", lower[:63], lower + "0", " " + lower, "sha1=" + lower, "sha256=sha256=" + lower,
		strings.TrimRight(b64, "="), upper[:32] + lower[32:], hex.EncodeToString(body),
	} {
		if bothelp.VerifySignature(wrong, body, "token") {
			t.Errorf("accepted: %q", wrong)
		}
	}
	if bothelp.VerifySignature(bothelp.Sign(body, ""), body, "") {
		t.Error("accepted under an empty token")
	}
}

func base64Of(hexSum string) string {
	sum, _ := hex.DecodeString(hexSum)
	return base64.StdEncoding.EncodeToString(sum)
}
