// mediasoup's callback on a BIO answers yes to every question that OpenSSL asks the BIO. As Debian builds OpenSSL, one
// of them is whether the kernel does TLS, and then there is no buffer to write to. Linked with --wrap=BIO_ctrl.
#include <openssl/bio.h>

long __real_BIO_ctrl(BIO *bio, int command, long number, void *pointer);

long __wrap_BIO_ctrl(BIO *bio, int command, long number, void *pointer)
{
	if (command == BIO_CTRL_GET_KTLS_SEND || command == BIO_CTRL_GET_KTLS_RECV)
		return 0;
	return __real_BIO_ctrl(bio, command, number, pointer);
}
