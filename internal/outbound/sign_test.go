package outbound

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const (
	newSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	oldSecret = "whsec_b2xkLXNlY3JldC1vZi0yNC1ieXRlcyEh"
)

// TestSignatureOfTheSpecification verifies the example of the Standard Webhooks libraries.
func TestSignatureOfTheSpecification(t *testing.T) {
	h := http.Header{}
	err := SigningOptions{Secrets: []string{newSecret}}.sign(h, "msg_p5jXN8AQM9LWM0D4loKWxJek",
		time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if err != nil || h.Get("webhook-signature") != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("got the headers %v, %v", h, err)
	}
}

// TestSignedRequest verifies that a receiver with either secret can verify each attempt by its bytes.
func TestSignedRequest(t *testing.T) {
	body := []byte("\xef\xbb\xbf{\"имя\":\"\xff\x00\"}\r\n")
	d, e := aDelivery(body)
	ep := endpointAt("http://example.com/")
	ep.Sign.Secrets = []string{newSecret, oldSecret}
	var ids, times []string
	for i := range 2 {
		d.Attempts++
		now := time.Now().Add(time.Duration(i) * time.Second)
		r, err := ep.NewRequest(context.Background(), nil, e, d, now)
		if err != nil {
			t.Fatal(err)
		}
		sent, _ := io.ReadAll(r.Body)
		for _, secret := range ep.Sign.Secrets {
			w, err := standardwebhooks.NewWebhook(secret)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Verify(sent, r.Header); err != nil {
				t.Errorf("attempt %d: %v", d.Attempts, err)
			}
			if err := w.Verify(append(sent, ' '), r.Header); err == nil {
				t.Error("the signature also verifies another body")
			}
		}
		first, _ := standardwebhooks.NewWebhook(newSecret)
		if want, _ := first.Sign(d.IdempotencyKey(), now, sent); !strings.HasPrefix(r.Header.Get("webhook-signature"),
			want+" ") {
			t.Errorf("the first secret's signature is not first: %s", r.Header.Get("webhook-signature"))
		}
		ids = append(ids, r.Header.Get("webhook-id"))
		times = append(times, r.Header.Get("webhook-timestamp"))
	}
	if ids[0] != d.IdempotencyKey() || ids[0] != ids[1] || times[0] == times[1] {
		t.Errorf("ids %v, times %v", ids, times)
	}
	ep.Sign.Secrets = nil
	r, _ := ep.NewRequest(context.Background(), nil, e, d, time.Now())
	for name := range r.Header {
		if strings.HasPrefix(name, "Webhook-") {
			t.Errorf("%s was sent without a secret", name)
		}
	}
}

func TestCheckSecret(t *testing.T) {
	bad := []string{"", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ=",
		"whsec_not base64 not base64 not base", "whsec_" + strings.Repeat("QUJD", 30)}
	for _, secret := range []string{newSecret, oldSecret} {
		if err := checkSecret(secret); err != nil {
			t.Error(err)
		}
	}
	if i := slices.IndexFunc(bad, func(s string) bool { return checkSecret(s) == nil }); i >= 0 {
		t.Errorf("%q was accepted", bad[i])
	}
}
