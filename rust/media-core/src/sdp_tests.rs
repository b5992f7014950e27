//! Offers of real clients, and offers that must be refused.
