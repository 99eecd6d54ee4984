package load

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"

	"github.com/google/uuid"
)

var idKey = []byte(`"id":"`)

// answer is what matters of a response.
type answer struct {
	status int
	id     uuid.UUID // zero where the body has none
	close  bool      // no other request may follow
}

// readAnswer reads one response.
func readAnswer(r *bufio.Reader) (a answer, err error) {
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		return a, err
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return a, err
	}
	a.status, a.close = response.StatusCode, response.Close
	if _, after, found := bytes.Cut(body, idKey); found && a.status == http.StatusOK {
		if a.id, err = uuid.ParseBytes(after[:min(36, len(after))]); err != nil {
			return a, fmt.Errorf("id in %q: %w", body, err)
		}
	}
	return a, nil
}
