// Package httpapi is the door of /v1: plain net/http handlers that turn a
// request into predict.Request and the answer into JSON, CSV or a page. It
// translates and never decides; api/openapi.yaml says what it speaks.
//
// A request's way: the Guard looks at its headers, the query and the Accept
// header are checked, the body's declared length is taken from the byte budget,
// the body is read into one pooled buffer while bytes flow fast enough, and the
// pictures, which are slices of that buffer, go to the Predictor. Whatever can
// be refused is refused before the body is read.
package httpapi
