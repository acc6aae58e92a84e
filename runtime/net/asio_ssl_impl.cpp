// The one translation unit that compiles Asio's TLS functions (BOOST_ASIO_SEPARATE_COMPILATION).
#include <boost/asio/ssl/impl/src.hpp>
