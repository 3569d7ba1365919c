// What mediasoup calls and liburing 2.3 of Debian does not have yet; the version is only logged.
#pragma once
#include_next <liburing.h>

constexpr int io_uring_major_version() { return 2; }
constexpr int io_uring_minor_version() { return 3; }

inline void io_uring_prep_sendto(
  io_uring_sqe* sqe, int fd, const void* data, size_t length, int flags, const sockaddr* address, socklen_t addressLength)
{
	io_uring_prep_send(sqe, fd, data, length, flags);
	io_uring_prep_send_set_addr(sqe, address, static_cast<uint16_t>(addressLength));
}
