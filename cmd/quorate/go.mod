module github.com/quorate/quorate/cmd/quorate

go 1.26.0

require (
	github.com/quorate/quorate v0.0.0
	github.com/quorate/quorate/embedded v0.0.0
	github.com/spf13/cobra v1.10.2
)

replace (
	github.com/quorate/quorate => ../../
	github.com/quorate/quorate/embedded => ../../embedded
)
