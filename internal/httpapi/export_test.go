package httpapi

// Routes lists path and methods of every route.
func Routes() map[string][]string {
	out := map[string][]string{}
	for _, r := range (&door{}).routes() {
		for method := range r.methods {
			out[r.path] = append(out[r.path], method)
		}
	}
	return out
}

// ClassOf is how large a slab for n bytes is, and its class.
var ClassOf = classOf

// ParseTrace is parseTrace.
var ParseTrace = parseTrace

// Negotiate is negotiate.
var Negotiate = negotiate
