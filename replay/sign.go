package replay

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const secretPrefix = "whsec_"

// signatureHeaders are the headers of Standard Webhooks, as net/http spells them.
var signatureHeaders = map[string]bool{"Webhook-Id": true, "Webhook-Timestamp": true, "Webhook-Signature": true}

// sign adds the headers of Standard Webhooks: the id is the same over all attempts, the time is that of this one, and
// each secret gives a signature of id, time and body.
func (o SigningOptions) sign(header http.Header, id string, now time.Time, body []byte) error {
	var signatures []string
	for _, secret := range o.Secrets {
		w, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			return err
		}
		signature, err := w.Sign(id, now, body)
		if err != nil {
			return err
		}
		signatures = append(signatures, signature)
	}
	if len(signatures) > 0 {
		header.Set(standardwebhooks.HeaderWebhookID, id)
		header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
		header.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	}
	return nil
}

// checkSecret holds a secret to what the specification asks: 24 to 64 random bytes.
func checkSecret(secret string) error {
	encoded, prefixed := strings.CutPrefix(secret, secretPrefix)
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !prefixed || err != nil || len(key) < 24 || len(key) > 64 {
		return fmt.Errorf("must be %s and the base64 of 24 to 64 random bytes", secretPrefix)
	}
	return nil
}
