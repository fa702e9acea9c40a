package problem

import "slices"

// Kind is a class of problems. The set is closed: see Kinds.
type Kind struct {
	Slug   string // last part of the type URI
	Title  string
	Status int    // HTTP status
	Help   string // what the page says: when it happens and what to do
}

// URI is the kind's stable type, relative to the server.
func (k *Kind) URI() string { return "/errors/" + k.Slug }

// Error makes a kind usable as a target of errors.Is.
func (k *Kind) Error() string { return k.Title }

// The kinds that a client can meet.
var (
	InvalidRequest = &Kind{
		"invalid-request", "Invalid request", 400,
		"The request could not be understood: an unknown or repeated parameter, a value of the wrong form, a body that does not fit its content type. The detail names the part. Correct it and send it again; repeating it unchanged gives the same answer.",
	}
	Unauthenticated = &Kind{
		"unauthenticated", "Authentication needed", 401,
		"This server asks for a key and none, or an unknown one, came with the request. Send it as 'Authorization: Bearer KEY'.",
	}
	Forbidden = &Kind{
		"forbidden", "Not allowed", 403,
		"The key is known but may not do this.",
	}
	NotFound = &Kind{
		"not-found", "Not found", 404,
		"Nothing is at this address. The paths that there are stand in /docs and /openapi.json.",
	}
	ModelNotFound = &Kind{
		"model-not-found", "Model not found", 404,
		"No model of this name, alias or version is here. GET /v1/models lists those that are. A model is named by NAME, NAME@ALIAS or NAME@sha256:DIGEST.",
	}
	MethodNotAllowed = &Kind{
		"method-not-allowed", "Method not allowed", 405,
		"The address exists, but not for this method; the Allow header lists the methods.",
	}
	NotAcceptable = &Kind{
		"not-acceptable", "Not acceptable", 406,
		"The Accept header asks for a form of answer that this address does not give. Predictions come as application/json or text/csv.",
	}
	IdempotencyInFlight = &Kind{
		"idempotency-in-flight", "Still in flight", 409,
		"A request with the same idempotency key is still being answered. Wait and repeat it.",
	}
	PictureTooLarge = &Kind{
		"picture-too-large", "Picture too large", 413,
		"The picture or the request body has more bytes than the server takes; limit_bytes says how many it takes. Send a smaller file; nothing is gained above some hundred kilobytes, since models see a few hundred pixels a side.",
	}
	TooManyPixels = &Kind{
		"too-many-pixels", "Too many pixels", 413,
		"The picture's width times height, or the memory that decoding it would take, is above the limit. It was refused by its header, before anything was decoded. Scale it down and send it again.",
	}
	NotAPicture = &Kind{
		"not-a-picture", "Not a picture that we read", 415,
		"The bytes are no picture, or one of a format that is not read here. The type is told by the content; file names and content types do not count. JPEG, PNG, WebP, GIF, BMP and TIFF are read.",
	}
	HostNotAllowed = &Kind{
		"host-not-allowed", "Host not allowed", 421,
		"The Host or Origin header names a host that this server does not answer for. Behind a proxy, add the public name to allowed_hosts.",
	}
	PictureDamaged = &Kind{
		"picture-damaged", "Picture damaged", 422,
		"The bytes begin like a picture but cannot be decoded; the detail says where it went wrong. Export the picture anew.",
	}
	IdempotencyMismatch = &Kind{
		"idempotency-mismatch", "Idempotency key used before", 422,
		"The idempotency key was used before with another payload.",
	}
	ModelInvalid = &Kind{
		"model-invalid", "Model refused", 422,
		"The model or package cannot be served; the detail says what is wrong and where.",
	}
	Limited = &Kind{
		"limited", "Too many requests", 429,
		"A limit of this key or project is reached; Retry-After says when to try again.",
	}
	Internal = &Kind{
		"internal", "Internal error", 500,
		"The server failed. The request id finds the cause in its log.",
	}
	Overloaded = &Kind{
		"overloaded", "Overloaded", 503,
		"More work is waiting than can be done in time, so this request was refused at once instead of queued. Retry-After says when to try again.",
	}
	ModelUnhealthy = &Kind{
		"model-unhealthy", "Model unhealthy", 503,
		"The model is here but cannot answer; GET /v1/models/{name} says why. Others go on.",
	}
	RecordingUnavailable = &Kind{
		"recording-unavailable", "Recording unavailable", 503,
		"The answer could not be recorded, so it was not given.",
	}
	DeadlineExceeded = &Kind{
		"deadline-exceeded", "Deadline exceeded", 504,
		"The request did not finish in its time and was stopped.",
	}
	StorageFull = &Kind{
		"storage-full", "Storage full", 507,
		"The disk under --data is full.",
	}
)

var kinds = []*Kind{
	InvalidRequest, Unauthenticated, Forbidden, NotFound, ModelNotFound, MethodNotAllowed, NotAcceptable,
	IdempotencyInFlight, PictureTooLarge, TooManyPixels, NotAPicture, HostNotAllowed, PictureDamaged,
	IdempotencyMismatch, ModelInvalid, Limited, Internal, Overloaded, ModelUnhealthy, RecordingUnavailable,
	DeadlineExceeded, StorageFull,
}

// Kinds lists all kinds, by status.
func Kinds() []*Kind { return slices.Clone(kinds) }
