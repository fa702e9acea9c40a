package httpapi

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

const (
	jsonType = "application/json"
	csvType  = "text/csv"
	htmlType = "text/html"
)

// negotiate picks the offer that the Accept header likes best: by q, then by
// how exactly it is named, then by the order of the offers. What cannot be read
// in the header is passed over.
func negotiate(h http.Header, offers ...string) (string, error) {
	accept := strings.Join(h.Values("Accept"), ",")
	if strings.TrimSpace(accept) == "" {
		return offers[0], nil
	}
	best, bestQ, bestExact := "", 0.0, 0
	for _, offer := range offers {
		q, exact := quality(accept, offer)
		if q > bestQ || q == bestQ && q > 0 && exact > bestExact {
			best, bestQ, bestExact = offer, q, exact
		}
	}
	if best == "" {
		return "", problem.NotAcceptable.New("the Accept header is %s, and this address answers with %s", wording.Quote(accept), strings.Join(offers, " or "))
	}
	return best, nil
}

// quality is the q that the most exact range of the header gives to the offer.
func quality(accept, offer string) (q float64, exact int) {
	for element := range strings.SplitSeq(accept, ",") {
		media, parameters, _ := strings.Cut(element, ";")
		n := fits(strings.ToLower(strings.TrimSpace(media)), offer)
		if n <= exact {
			continue
		}
		if value, ok := qValue(parameters); ok {
			q, exact = value, n
		}
	}
	return q, exact
}

// fits tells how exactly a media range names the offer; 0: it doesn't.
func fits(media, offer string) int {
	family, _, _ := strings.Cut(offer, "/")
	switch media {
	case offer:
		return 3
	case family + "/*":
		return 2
	case "*/*", "*": // * alone is what Java's HttpURLConnection sends
		return 1
	default:
		return 0
	}
}

func qValue(parameters string) (float64, bool) {
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		if strings.EqualFold(strings.TrimSpace(name), "q") {
			q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			return q, err == nil && q >= 0 && q <= 1
		}
	}
	return 1, true
}
