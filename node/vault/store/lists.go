package store

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
)

// onlyLists lets an answer through as the list of a bucket only if it is one. Any
// other page would be taken for a list of nothing, and all files for gone.
type onlyLists struct{ next http.RoundTripper }

// errNoList: what answers is not a bucket.
var errNoList = errors.New("the server does not answer as a bucket does")

// listBegins is how many bytes a list has at most before it says what it is.
const listBegins = 1024

// RoundTrip implements [http.RoundTripper].
func (l onlyLists) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := l.next.RoundTrip(r)
	if err != nil || answer.StatusCode != http.StatusOK || !r.URL.Query().Has("list-type") {
		return answer, err
	}
	in := bufio.NewReaderSize(answer.Body, listBegins)
	begin, _ := in.Peek(listBegins) // less if there is less
	if !bytes.Contains(begin, []byte("<ListBucketResult")) {
		return nil, errors.Join(errNoList, answer.Body.Close())
	}
	answer.Body = struct {
		io.Reader
		io.Closer
	}{in, answer.Body}
	return answer, nil
}
