package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/golang-jwt/jwt"
)

type question struct {
	Key    string
	Form   string
	Token  string
	Claims jwt.MapClaims
}

func (q question) key() []byte {
	if q.Form != "raw" {
		return []byte(q.Key)
	}
	key, err := base64.StdEncoding.DecodeString(q.Key)
	if err != nil {
		panic(err)
	}
	return key
}

func sign(q question, alg string) (string, error) {
	return jwt.NewWithClaims(jwt.GetSigningMethod(alg), q.Claims).SignedString(q.key())
}

func verify(q question, alg string) (string, error) {
	parser := &jwt.Parser{ValidMethods: []string{alg}}
	token, err := parser.Parse(q.Token, func(*jwt.Token) (interface{}, error) { return q.key(), nil })
	if err != nil {
		return "", err
	}
	claims, err := json.Marshal(token.Claims)
	return string(claims), err
}

func main() {
	var q question
	if err := json.NewDecoder(os.Stdin).Decode(&q); err != nil {
		panic(err)
	}
	work := map[string]func(question, string) (string, error){"sign": sign, "verify": verify}
	answer, err := work[os.Args[1]](q, os.Args[2])
	var invalid *jwt.ValidationError
	if errors.As(err, &invalid) {
		fmt.Fprintln(os.Stderr, "refused:", err)
		os.Exit(1)
	}
	if err != nil {
		panic(err)
	}
	fmt.Println(answer)
}
