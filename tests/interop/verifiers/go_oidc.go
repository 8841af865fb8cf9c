package main

import (
	"bufio"
	"context"
	"fmt"
	"os"

	"github.com/coreos/go-oidc"
)

func main() {
	ctx := context.Background()
	keys := oidc.NewRemoteKeySet(ctx, os.Args[1])
	verifier := oidc.NewVerifier("https://auth.example", keys, &oidc.Config{
		SkipClientIDCheck:    true,
		SupportedSigningAlgs: []string{oidc.ES256, oidc.RS256},
	})
	for tokens := bufio.NewScanner(os.Stdin); tokens.Scan(); {
		if _, err := verifier.Verify(ctx, tokens.Text()); err != nil {
			fmt.Println("refused:", err)
		} else {
			fmt.Println("accepted")
		}
	}
}
