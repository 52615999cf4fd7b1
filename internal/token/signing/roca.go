package signing

import "math/big"

// rocaPrimes are primes from 3 to 167. Modulo each of them, an RSA modulus of
// Infineon's RSALib is a power of 65537 (Nemec et al., "The Return of
// Coppersmith's Attack", 2017).
var rocaPrimes = [...]int64{
	3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
	101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
}

// factorable reports whether an RSA modulus comes from that library, which smart cards and TPMs
// used from 2012 to 2017. An attacker can compute the private key of such a modulus
// (CVE-2017-15361). The probability of refusing another modulus by mistake is 2^-154.
func factorable(n *big.Int) bool {
	for _, p := range rocaPrimes {
		if !isPowerOf65537(new(big.Int).Mod(n, big.NewInt(p)).Int64(), p) {
			return false
		}
	}
	return true
}

// isPowerOf65537 reports whether x is a power of 65537 modulo p.
func isPowerOf65537(x, p int64) bool {
	power := int64(1)
	for range p {
		if power == x {
			return true
		}
		power = power * 65537 % p
	}
	return false
}
