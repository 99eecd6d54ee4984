package bothelp

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// SignatureHeader is the header in which BotHelp signs a chat webhook (help page "Chat Webhook reference").
const SignatureHeader = "X-Wh-Sign"

// Sign returns the signature of a chat webhook's body: HMAC-SHA256 under the webhook's token from BotHelp, in
// lower-case hex.
func Sign(body []byte, token string) string {
	return hex.EncodeToString(digest(body, token))
}

// VerifySignature reports whether header is the signature of body under one of the tokens. Several tokens are valid
// while one is being replaced; an empty token is ignored.
//
// BotHelp does not document the encoding: lower-case hex, upper-case hex and standard base64 are valid, each with or
// without the prefix "sha256=". It takes the same time for an invalid signature as for a valid one.
func VerifySignature(header string, body []byte, tokens ...string) bool {
	sent := []byte(strings.TrimPrefix(header, "sha256="))
	right := 0
	for _, token := range tokens {
		if token == "" {
			continue
		}
		sum := digest(body, token)
		lower := hex.EncodeToString(sum)
		right |= subtle.ConstantTimeCompare(sent, []byte(lower))
		right |= subtle.ConstantTimeCompare(sent, []byte(strings.ToUpper(lower)))
		right |= subtle.ConstantTimeCompare(sent, []byte(base64.StdEncoding.EncodeToString(sum)))
	}
	return right == 1
}

func digest(body []byte, token string) []byte {
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write(body)
	return mac.Sum(nil)
}
