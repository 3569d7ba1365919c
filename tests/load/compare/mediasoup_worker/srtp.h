// libsrtp 3's calls as libsrtp 2 has them, which works in place: mediasoup is written for version 3.
#pragma once
#include "srtp2.h"
#include <cstddef>
#include <cstring>

using Function = srtp_err_status_t (*)(srtp_t, void*, int*);

template<Function function>
srtp_err_status_t apply(srtp_t session, const uint8_t* in, size_t length, uint8_t* out, size_t* outLength)
{
	if (out != in)
		std::memcpy(out, in, length);
	int changed       = static_cast<int>(length);
	const auto status = function(session, out, &changed);
	*outLength        = static_cast<size_t>(changed);
	return status;
}

inline srtp_err_status_t srtp_protect(srtp_t session, const uint8_t* in, size_t length, uint8_t* out, size_t* outLength, size_t)
{
	return apply<srtp_protect>(session, in, length, out, outLength);
}

inline srtp_err_status_t srtp_unprotect(srtp_t session, const uint8_t* in, size_t length, uint8_t* out, size_t* outLength)
{
	return apply<srtp_unprotect>(session, in, length, out, outLength);
}

inline srtp_err_status_t srtp_protect_rtcp(srtp_t session, const uint8_t* in, size_t length, uint8_t* out, size_t* outLength, size_t)
{
	return apply<srtp_protect_rtcp>(session, in, length, out, outLength);
}

inline srtp_err_status_t srtp_unprotect_rtcp(srtp_t session, const uint8_t* in, size_t length, uint8_t* out, size_t* outLength)
{
	return apply<srtp_unprotect_rtcp>(session, in, length, out, outLength);
}

inline srtp_err_status_t srtp_stream_remove(srtp_t session, uint32_t ssrc)
{
	return srtp_remove_stream(session, ssrc);
}

constexpr auto srtp_err_status_buffer_small = static_cast<srtp_err_status_t>(28);
constexpr auto srtp_err_status_cryptex_err  = static_cast<srtp_err_status_t>(29);
