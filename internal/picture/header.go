package picture

type header struct{}
